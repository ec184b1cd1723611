//! Takes out of a component what only people and debuggers read: names, debug information, who produced it.
//!
//! A section is an id, a length and as many bytes; modules and components inside are sections again. Whatever does not
//! read so is left as it is: saying what is wrong with it is the validator's affair.

/// The section of a core module, and of a component, that has another module; and that which has another component.
const NESTED: [u8; 2] = [1, 4];

/// Ids and lengths before the first section: the magic number and the version.
const HEADER_BYTES: usize = 8;

/// The component without those sections.
pub(crate) fn strip(component: &[u8]) -> Vec<u8> {
    stripped(component).unwrap_or_else(|| component.to_vec())
}

fn stripped(binary: &[u8]) -> Option<Vec<u8>> {
    let (header, mut rest) = binary.split_at_checked(HEADER_BYTES)?;
    // The last two bytes of a version say whether it is a module (0) or a component (1).
    let is_component = *header.get(6)? == 1;
    let mut kept = header.to_vec();
    while let Some((id, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (body, after) = after.split_at_checked(length)?;
        rest = after;
        if *id == 0 && is_for_people(body)? {
            continue;
        }
        let inner = if is_component && NESTED.contains(id) { Some(stripped(body)?) } else { None };
        let body = inner.as_deref().unwrap_or(body);
        kept.push(*id);
        put_number(&mut kept, body.len());
        kept.extend(body);
    }
    Some(kept)
}

/// Whether a custom section, which begins with its name, is for people alone.
fn is_for_people(body: &[u8]) -> Option<bool> {
    let (length, after) = number(body)?;
    let name = std::str::from_utf8(after.get(..length)?).ok()?;
    Some(matches!(name, "name" | "component-name" | "producers" | "target_features") || name.starts_with(".debug_"))
}

/// A number in LEB128, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (mut value, mut shift) = (0usize, 0u32);
    for (at, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at.saturating_add(1)..)?));
        }
        shift = shift.saturating_add(7);
    }
    None
}

fn put_number(to: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        to.push(0x80 | u8::try_from(value & 0x7f).unwrap_or_default());
        value >>= 7;
    }
    to.push(u8::try_from(value).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];
    const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    /// A section in another binary.
    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        let mut made = vec![id];
        put_number(&mut made, body.len());
        [made, body.to_vec()].concat()
    }

    fn custom(name: &str, rest: &[u8]) -> Vec<u8> {
        section(0, &[&[u8::try_from(name.len()).unwrap()], name.as_bytes(), rest].concat())
    }

    #[test]
    fn names_go_at_every_depth_and_what_a_host_reads_stays() {
        let long = [7; 300];
        let types = section(1, &[0]);
        let module = [&MODULE[..], &types, &custom("name", &long), &custom("kept", &long)].concat();
        let component = [&COMPONENT[..], &custom("producers", &[1]), &section(1, &module)].concat();
        let outer = [&COMPONENT[..], &section(4, &component), &custom("component-name", &[])].concat();

        let module = [&MODULE[..], &types, &custom("kept", &long)].concat();
        let component = [&COMPONENT[..], &section(1, &module)].concat();
        assert_eq!(strip(&outer), [&COMPONENT[..], &section(4, &component)].concat());
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        let torn = [&COMPONENT[..], &[0, 200, 1, 4]].concat();
        for binary in [&torn[..], b"{}", b""] {
            assert_eq!(strip(binary), binary);
        }
    }
}
