//! A tightening put to a resource type.

use std::sync::Arc;

use crate::scim::path::AttributeRef;
use crate::scim::path::parse::excerpt;
use crate::scim::schema::document::{canonical_possible, indexable, unique_possible};
use crate::scim::schema::problem::{Problems, SchemaError};
use crate::scim::schema::tightening::Tightening;
use crate::scim::schema::{Attribute, Mutability, ResourceType, Returned, Storage, Uniqueness};

impl Tightening {
    /// The attribute that it is about.
    pub(in crate::scim::schema) fn target(&self, resource_type: &ResourceType) -> Result<AttributeRef, SchemaError> {
        AttributeRef::parse(&self.path, resource_type)
            .map_err(|error| SchemaError { pointer: "/path".to_owned(), message: error.to_string() })
    }

    /// The resource type with the attribute made stricter. Everything that is not stricter is told.
    pub(in crate::scim::schema) fn apply(
        &self,
        resource_type: &ResourceType,
        target: &AttributeRef,
    ) -> Result<ResourceType, Vec<SchemaError>> {
        let mut problems = Problems::default();
        if let Err(message) = check_target(target) {
            return Err(vec![SchemaError { pointer: "/path".to_owned(), message }]);
        }
        let strict = self.tighten(target, &mut problems);
        let mut tightened = resource_type.clone();
        put(&mut tightened, target, strict);
        problems.finish(Some(tightened))
    }

    fn tighten(&self, target: &AttributeRef, problems: &mut Problems) -> Attribute {
        let old = target.leaf();
        let mut new = Attribute::clone(old);
        let looser = |what: &str, now: &str| format!("`{what}` would be looser than the schema, which has `{now}`");
        match self.required {
            Some(false) if old.required => problems.add("/required", looser("false", "true")),
            Some(true) if old.returned == Returned::Never => {
                problems.add("/required", "what is `returned: never` is not kept, so it cannot be required");
            }
            Some(required) => new.required = required,
            None => {}
        }
        match self.mutability.filter(|mutability| *mutability != old.mutability) {
            // `writeOnly` is another thing than `readWrite`, and neither is stricter.
            Some(mutability)
                if rank(mutability) < rank(old.mutability)
                    || [mutability, old.mutability].contains(&Mutability::WriteOnly) =>
            {
                problems.add("/mutability", looser(name(mutability), name(old.mutability)));
            }
            Some(_) if in_values(target) => {
                let (whole, part) = (&target.attribute.name, &old.name);
                let message = format!(
                    "the values of `{whole}` come and go as a whole, so `{part}` cannot be held fast; \
                     make `{whole}` stricter instead"
                );
                problems.add("/mutability", message);
            }
            Some(mutability) => new.mutability = mutability,
            None => {}
        }
        if new.required && new.mutability == Mutability::ReadOnly {
            problems.add("/mutability", "what is `readOnly` cannot be given, so it cannot be required");
        }
        self.tighten_index(old, &mut new, problems);
        self.tighten_values(old, &mut new, problems);
        self.tighten_returned(old, &mut new, problems);
        new
    }

    /// After all the others: what is never returned is not kept, so nothing can be done with its values.
    fn tighten_returned(&self, old: &Attribute, new: &mut Attribute, problems: &mut Problems) {
        let Some(returned) = self.returned.filter(|returned| *returned != old.returned) else {
            return;
        };
        if old.returned == Returned::Always {
            return problems.add("/returned", "what is `always` returned stays so: clients tell resources apart by it");
        }
        if shown(returned) > shown(old.returned) {
            let (wanted, now) = (word(returned), word(old.returned));
            let message = format!("`{wanted}` would show more than the schema, which has `{now}`");
            return problems.add("/returned", message);
        }
        new.returned = returned;
        if returned != Returned::Never {
            return;
        }
        let holds = |is: fn(&Attribute) -> bool| is(new) || new.sub_attributes.iter().any(|sub| is(sub));
        let demands = [
            (new.required, "required"),
            (holds(|attribute| attribute.uniqueness != Uniqueness::None), "unique"),
            (self.indexed == Some(true), "to be looked up in an index"),
            (new.mutability == Mutability::Immutable, "immutable"),
            (holds(|attribute| attribute.canonical_only), "limited to a list of values"),
        ];
        if let Some((_, demand)) = demands.iter().find(|(is_demanded, _)| *is_demanded) {
            let message = format!("what is `returned: never` is not kept, and `{}` is {demand}", new.name);
            problems.add("/returned", message);
        }
        // An index of the schema's own would have no entries.
        new.indexed = false;
        new.sub_attributes.iter_mut().for_each(|sub| Arc::make_mut(sub).indexed = false);
    }

    fn tighten_index(&self, old: &Attribute, new: &mut Attribute, problems: &mut Problems) {
        match self.uniqueness {
            Some(Uniqueness::None) if old.uniqueness != Uniqueness::None => {
                problems.add("/uniqueness", "`none` would be looser than the schema, which has `server`");
            }
            Some(Uniqueness::Global) => {
                problems.add("/uniqueness", "uniqueness is kept within the tenant, which is `server`, not `global`");
            }
            Some(Uniqueness::Server) => match indexable(old).and_then(|()| unique_possible(old)) {
                // What must be unique is looked up in an index, so it has the limits of what is indexed.
                Ok(()) => (new.uniqueness, new.indexed) = (Uniqueness::Server, true),
                Err(message) => problems.add("/uniqueness", message),
            },
            Some(Uniqueness::None) | None => {}
        }
        match (self.indexed, indexable(old)) {
            (Some(false), _) if new.indexed => problems.add("/indexed", "the attribute has an index, which stays"),
            (Some(true), Err(message)) => problems.add("/indexed", message),
            (Some(true), Ok(())) => new.indexed = true,
            _ => {}
        }
    }

    /// RFC 7643 §7 calls canonical values suggestions, and a schema whose values are not binding allows every text. So
    /// any list that is binding is stricter than one that is not.
    fn tighten_values(&self, old: &Attribute, new: &mut Attribute, problems: &mut Problems) {
        let Some(values) = &self.canonical_values else {
            return;
        };
        if let Err(message) = canonical_possible(old, values) {
            problems.add("/canonicalValues", message);
        }
        if old.canonical_only {
            for value in values.iter().filter(|value| !old.is_canonical(value)) {
                let message = format!(
                    "`{}` would be looser than the schema, which has `{}`",
                    excerpt(value),
                    old.canonical_values.join("`, `")
                );
                problems.add("/canonicalValues", message);
            }
        }
        new.canonical_values.clone_from(values);
        new.canonical_only = true;
    }
}

/// What no client writes cannot be made stricter, nor a part of what is not kept.
fn check_target(target: &AttributeRef) -> Result<(), String> {
    if target.attribute.storage != Storage::Inline {
        return Err(format!("`{target}` is kept in another way, so it cannot be made stricter"));
    }
    if [&target.attribute, target.leaf()].iter().any(|attribute| attribute.mutability == Mutability::ReadOnly) {
        return Err(format!("`{target}` is assigned by the service provider, so it cannot be made stricter"));
    }
    if target.sub_attribute.is_some() && target.attribute.returned == Returned::Never {
        let whole = &target.attribute.name;
        return Err(format!("`{whole}` is `returned: never` and not kept, so no part of it can be made stricter"));
    }
    Ok(())
}

/// Whether it is a part of each value of a multi-valued attribute.
fn in_values(target: &AttributeRef) -> bool {
    target.sub_attribute.is_some() && target.attribute.multi_valued
}

/// A larger one allows fewer changes.
fn rank(mutability: Mutability) -> u8 {
    match mutability {
        Mutability::ReadWrite | Mutability::WriteOnly => 0,
        Mutability::Immutable => 1,
        Mutability::ReadOnly => 2,
    }
}

/// A larger one shows more.
fn shown(returned: Returned) -> u8 {
    match returned {
        Returned::Never => 0,
        Returned::Request => 1,
        Returned::Default => 2,
        Returned::Always => 3,
    }
}

fn word(returned: Returned) -> &'static str {
    match returned {
        Returned::Never => "never",
        Returned::Request => "request",
        Returned::Default => "default",
        Returned::Always => "always",
    }
}

fn name(mutability: Mutability) -> &'static str {
    match mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
        Mutability::WriteOnly => "writeOnly",
    }
}

/// Puts the attribute in the place of the one that the target names.
fn put(resource_type: &mut ResourceType, target: &AttributeRef, strict: Attribute) {
    if let Some(urn) = target.extension.as_ref().map(|schema| schema.id.as_str()) {
        let found = resource_type.extensions.iter_mut().find(|extension| extension.schema.id == urn);
        if let Some(extension) = found {
            put_into(&mut Arc::make_mut(&mut extension.schema).attributes, target, strict);
        }
    } else if resource_type.schema.attribute(&target.attribute.name).is_some() {
        put_into(&mut Arc::make_mut(&mut resource_type.schema).attributes, target, strict);
    } else {
        let mut common = resource_type.common.to_vec();
        put_into(&mut common, target, strict);
        resource_type.common = common.into();
    }
}

fn put_into(attributes: &mut [Arc<Attribute>], target: &AttributeRef, strict: Attribute) {
    let Some(attribute) = attributes.iter_mut().find(|attribute| attribute.name == target.attribute.name) else {
        return;
    };
    match &target.sub_attribute {
        None => *attribute = Arc::new(strict),
        Some(sub) => {
            let subs = &mut Arc::make_mut(attribute).sub_attributes;
            if let Some(place) = subs.iter_mut().find(|place| place.name == sub.name) {
                *place = Arc::new(strict);
            }
        }
    }
}
