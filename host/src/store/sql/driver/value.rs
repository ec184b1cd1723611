//! What goes into a statement.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, Type};
use uuid::Uuid;

use crate::decision::{DecisionId, TenantId, Txn, WaiverId};
use crate::scim::resource::ResourceId;
use crate::store::sql::postgres::escaped;

/// A value of a column, as both databases have it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) enum Value<'a> {
    /// None.
    Null,
    /// Numbers, times in microseconds, and yes or no as 1 or 0.
    Integer(i64),
    /// Texts.
    Text(Cow<'a, str>),
    /// Hashes and components.
    Bytes(Cow<'a, [u8]>),
    /// Ids.
    Uuid(Uuid),
}

impl Value<'_> {
    /// The same, to be kept.
    pub(in crate::store) fn to_static(&self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(Cow::Owned(text.clone().into_owned())),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.clone().into_owned())),
            Self::Uuid(id) => Value::Uuid(*id),
        }
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Uuid(id) => ValueRef::Blob(id.as_bytes()),
        }))
    }
}

impl tokio_postgres::types::ToSql for Value<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            // A number that the server takes for a short one: `LIMIT` and casts.
            Self::Integer(number) if *of == Type::INT4 => i32::try_from(*number)?.to_sql(of, out),
            Self::Integer(number) => number.to_sql(of, out),
            Self::Text(text) => escaped(text).as_ref().to_sql(of, out),
            Self::Bytes(bytes) => bytes.as_ref().to_sql(of, out),
            Self::Uuid(id) => id.to_sql(of, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let fits = match self {
            Self::Null => true,
            Self::Integer(_) => matches!(*of, Type::INT8 | Type::INT4),
            Self::Text(_) => *of == Type::TEXT,
            Self::Bytes(_) => *of == Type::BYTEA,
            Self::Uuid(_) => *of == Type::UUID,
        };
        if fits { self.to_sql(of, out) } else { Err(format!("{self:?} is no `{of}`").into()) }
    }
}

/// What can be a value of a column.
pub(in crate::store) trait ToValue {
    /// As a value.
    fn to_value(&self) -> Value<'_>;
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        T::to_value(self)
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

macro_rules! to_value {
    ($($type:ty => |$value:ident| $of:expr;)*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                let $value = self;
                $of
            }
        }
    )*};
}

to_value! {
    i64 => |number| Value::Integer(*number);
    i32 => |number| Value::Integer((*number).into());
    u32 => |number| Value::Integer((*number).into());
    bool => |yes| Value::Integer((*yes).into());
    str => |text| Value::Text(Cow::Borrowed(text));
    String => |text| Value::Text(Cow::Borrowed(text));
    Arc<str> => |text| Value::Text(Cow::Borrowed(text));
    [u8] => |bytes| Value::Bytes(Cow::Borrowed(bytes));
    Vec<u8> => |bytes| Value::Bytes(Cow::Borrowed(bytes));
    Uuid => |id| Value::Uuid(*id);
    TenantId => |tenant| Value::Integer(tenant.0);
    ResourceId => |id| Value::Uuid(id.0);
    DecisionId => |id| Value::Uuid(id.0);
    WaiverId => |id| Value::Uuid(id.0);
    Txn => |txn| Value::Uuid(txn.0);
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(Cow::Borrowed(self))
    }
}

/// The values of a statement's parameters.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::sql::driver::ToValue::to_value(&$value)),*] as &[$crate::store::sql::driver::Value<'_>]
    };
}
pub(in crate::store) use params;
