//! `replace` (RFC 7644 §3.5.2.3).

use serde_json::Value;

use crate::scim::error::ScimError;
use crate::scim::patch::add::{write_single, write_sub};
use crate::scim::patch::target::{Target, matching, settle_primary, take_list};

/// Replaces what the path leads to. Where nothing is, it is added: "If the target location path specifies an attribute
/// that does not exist, the service provider SHALL treat the operation as an "add"".
pub(super) fn replace(target: Target<'_>, value: &Value) -> Result<(), ScimError> {
    match (target.attribute.multi_valued, target.filter(), target.sub_attribute()) {
        (false, _, _) => write_single(target, value),
        (true, _, Some(sub)) => write_sub(target, sub, value),
        (true, Some(_), None) => replace_matching(target, value),
        (true, None, None) => {
            let normal = target.normalize(target.attribute, value)?;
            target.edit(|values| {
                *values = normal.unwrap_or(Value::Null);
                Ok(())
            })
        }
    }
}

/// "all matching record values SHALL be replaced", and without a match "noTarget".
fn replace_matching(mut target: Target<'_>, value: &Value) -> Result<(), ScimError> {
    target.pay_for_copies(value)?;
    let normal = match target.normalize(target.attribute, value)? {
        Some(Value::Array(mut values)) if values.len() == 1 => values.pop(),
        Some(_) => {
            let detail = format!("`{}` selects values to be replaced by one, and several are given", target.path);
            return Err(ScimError::invalid_value(detail));
        }
        None => None,
    };
    let (filter, no_target) = (target.filter(), target.no_target());
    target.edit(|value| {
        let mut values = take_list(value);
        let places = matching(filter, &values);
        if places.is_empty() {
            return Err(no_target);
        }
        match normal {
            Some(normal) => {
                for place in &places {
                    if let Some(value) = values.get_mut(*place) {
                        *value = normal.clone();
                    }
                }
                settle_primary(&mut values, &places);
            }
            None => {
                let mut place = 0;
                values.retain(|_| {
                    place += 1;
                    places.binary_search(&(place - 1)).is_err()
                });
            }
        }
        *value = Value::Array(values);
        Ok(())
    })
}
