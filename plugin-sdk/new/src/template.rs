//! Templates: texts with words to fill in and parts that are left out.
//!
//! `{{name}}` is a word. A line that has nothing but `%if directory` begins a part that is there if that is a fact;
//! `%if directory or tables`, if one of them is; `%if not tables`, if it is none. `%end` ends it. Parts can be in parts.

/// The text with its words filled in and without the parts that do not apply.
pub(crate) fn fill(template: &str, facts: &[&str], words: &[(&str, &str)]) -> String {
    let mut text = String::new();
    // Whether the parts that a line is in are there, outermost first.
    let mut parts: Vec<bool> = Vec::new();
    for line in template.lines() {
        if let Some(condition) = line.trim().strip_prefix("%if ") {
            parts.push(holds(condition, facts));
        } else if line.trim() == "%end" {
            parts.pop();
        } else if parts.iter().all(|there| *there) {
            text.push_str(line);
            text.push('\n');
        }
    }
    words.iter().fold(text, |text, (word, value)| text.replace(&format!("{{{{{word}}}}}"), value))
}

fn holds(condition: &str, facts: &[&str]) -> bool {
    match condition.strip_prefix("not ") {
        Some(condition) => !holds(condition, facts),
        None => condition.split(" or ").any(|fact| facts.contains(&fact.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn parts_apply_by_facts_and_words_are_filled_in() {
        let template = "a {{name}}\n  %if x\nb\n%if y or z\nc\n%end\n%end\n%if not x\nd\n%end\n${{ kept }}\n";
        assert_eq!(fill(template, &["x", "z"], &[("name", "N")]), "a N\nb\nc\n${{ kept }}\n");
        assert_eq!(fill(template, &["y"], &[("name", "N")]), "a N\nd\n${{ kept }}\n");
    }
}
