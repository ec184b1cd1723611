//! Foreign text in a line of ours: in the log, and on the terminal of whoever runs a command.

/// The text with its control characters escaped. What a tenant's code or a client has written must not end a line and
/// begin another, which would look like one of ours, nor say anything to the terminal that shows it.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn control_characters_are_escaped_and_nothing_else_is() {
        assert_eq!(one_line("Zoë \\ \"x\" – 試"), "Zoë \\ \"x\" – 試");
        // A line's end, a terminal's escape sequence, and the same in one character (C1).
        assert_eq!(one_line("a\nb\r\u{1b}[2J\u{9b}2J\u{7f}"), r"a\nb\r\u{1b}[2J\u{9b}2J\u{7f}");
    }
}
