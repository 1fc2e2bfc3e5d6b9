//! How JSON is read here: what is optional, what is forgiven, what is passed on untouched.
//!
//! Three macros keep the rules in one place. [`wire!`] declares objects in the notation of the protocol document, [`tagged!`]
//! unions told apart by one member, [`words!`] closed sets of strings.
//!
//! Nothing here derives `Deserialize` for tagged or flattened types: serde would buffer them in a form that cannot hold raw JSON.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use ts_rs::TS;

use crate::events::RawJson;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = i64;

/// A member for which absence and `null` mean different things.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Maybe<T> {
    /// The member is not there.
    #[default]
    Absent,
    /// The member is there and says "none".
    Null,
    Value(T),
}

impl<T> Maybe<T> {
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub fn as_ref(&self) -> Maybe<&T> {
        match self {
            Self::Absent => Maybe::Absent,
            Self::Null => Maybe::Null,
            Self::Value(value) => Maybe::Value(value),
        }
    }

    /// The value, when there is one; absence and `null` become alike.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// What to store: `None` leaves things as they are, `Some(None)` clears them.
    pub fn change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Maybe<U> {
        match self {
            Self::Absent => Maybe::Absent,
            Self::Null => Maybe::Null,
            Self::Value(value) => Maybe::Value(change(value)),
        }
    }
}

/// A present member: `None` is `null`.
impl<T> From<Option<T>> for Maybe<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

impl<T: Serialize> Serialize for Maybe<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_none(),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.into())
    }
}

impl<T> ts_rs::IsOption for Maybe<T> {
    type Inner = T;
}

impl<T: TS> TS for Maybe<T> {
    type WithoutGenerics = Self;
    type OptionInnerType = T;
    const IS_OPTION: bool = true;

    fn name(cfg: &ts_rs::Config) -> String {
        Option::<T>::name(cfg)
    }

    fn inline(cfg: &ts_rs::Config) -> String {
        Option::<T>::inline(cfg)
    }

    fn visit_dependencies(visitor: &mut impl ts_rs::TypeVisitor)
    where
        Self: 'static,
    {
        Option::<T>::visit_dependencies(visitor);
    }

    fn visit_generics(visitor: &mut impl ts_rs::TypeVisitor)
    where
        Self: 'static,
    {
        Option::<T>::visit_generics(visitor);
    }
}

/// For optional members: a value of the wrong type counts as absent.
pub fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str::<Option<T>>(raw.get()).unwrap_or_default())
}

/// [`lenient`] for members that tell absence from `null`; a value of the wrong type counts as absent.
pub fn lenient_maybe<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Maybe<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str::<Maybe<T>>(raw.get()).unwrap_or_default())
}

/// For lists: malformed entries are left out, anything but a list is an empty one.
pub fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(read_list(raw.get()).unwrap_or_default())
}

/// [`lenient_list`] for lists that may be absent.
pub fn lenient_list_opt<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(read_list(raw.get()))
}

/// The well-formed entries of a list; `None` when it is no list.
pub(crate) fn read_list<T: DeserializeOwned>(text: &str) -> Option<Vec<T>> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(items.into_iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect())
}

/// For required members that older peers leave out or send as another type: the type's default then.
pub fn or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(lenient(deserializer)?.unwrap_or_default())
}

/// For counts: any finite number, rounded; negative ones count as 0.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    Ok(number.max(0.0).round() as u64)
}

/// For times: any number of milliseconds, rounded.
pub fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMs, D::Error> {
    Ok(f64::deserialize(deserializer)?.round() as UnixMs)
}

/// A JSON object whose members are kept as text, in order. Of repeated keys the last counts.
#[derive(Clone, Default)]
pub struct JsonObject {
    members: Vec<(String, RawJson)>,
}

impl JsonObject {
    pub fn new() -> Self {
        Self::default()
    }

    /// Write `value`, which must become an object, and take it apart again.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        serde_json::from_str(&serde_json::to_string(value)?)
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub fn get(&self, key: &str) -> Option<&RawJson> {
        self.members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The member as `T`; `None` when it is absent or something else.
    pub fn get_as<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.get(key)?.to().ok()
    }

    /// Set a member, in its old place when there is one.
    pub fn insert(&mut self, key: impl Into<String>, value: RawJson) -> Option<RawJson> {
        let key = key.into();
        match self.members.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.members.push((key, value));
                None
            }
        }
    }

    /// [`Self::insert`] for anything that becomes JSON.
    pub fn set<T: Serialize + ?Sized>(&mut self, key: impl Into<String>, value: &T) -> serde_json::Result<()> {
        self.insert(key, RawJson::new(value)?);
        Ok(())
    }

    pub fn remove(&mut self, key: &str) -> Option<RawJson> {
        let at = self.members.iter().position(|(name, _)| name == key)?;
        Some(self.members.remove(at).1)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&str, &RawJson) -> bool) {
        self.members.retain(|(key, value)| keep(key, value));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawJson)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(key, _)| key.as_str())
    }

    /// All of this object as one raw value.
    pub fn to_raw(&self) -> RawJson {
        RawJson::new(self).expect("an object of raw members serialises")
    }
}

impl FromIterator<(String, RawJson)> for JsonObject {
    fn from_iter<I: IntoIterator<Item = (String, RawJson)>>(members: I) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}

/// Equality of meaning: the order of members does not count.
impl PartialEq for JsonObject {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = JsonObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject, A::Error> {
                let mut members: Vec<(String, RawJson)> = Vec::new();
                while let Some(member) = map.next_entry::<String, RawJson>()? {
                    members.push(member);
                }
                // Repeated keys are rare and hostile ones may be many: look for them once, not at every insertion.
                let mut seen = std::collections::HashSet::with_capacity(members.len());
                let distinct = members.iter().all(|(key, _)| seen.insert(key.as_str()));
                drop(seen);
                if !distinct {
                    let mut last = std::collections::HashMap::with_capacity(members.len());
                    for (at, (key, _)) in members.iter().enumerate() {
                        last.insert(key.clone(), at);
                    }
                    let mut at = 0;
                    members.retain(|(key, _)| {
                        at += 1;
                        last[key] == at - 1
                    });
                }
                Ok(JsonObject { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl TS for JsonObject {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &ts_rs::Config) -> String {
        "{ [key: string]: unknown }".to_owned()
    }

    fn inline(cfg: &ts_rs::Config) -> String {
        Self::name(cfg)
    }
}

/// An object of which we know some members and keep the rest as it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Open<T> {
    pub known: T,
    /// Members that `T` does not name.
    pub extra: JsonObject,
}

impl<T> Open<T> {
    pub fn new(known: T) -> Self {
        Self { known, extra: JsonObject::new() }
    }

    pub fn with(known: T, extra: JsonObject) -> Self {
        Self { known, extra }
    }
}

impl<T> From<T> for Open<T> {
    fn from(known: T) -> Self {
        Self::new(known)
    }
}

impl<T> Deref for Open<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.known
    }
}

impl<T> DerefMut for Open<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.known
    }
}

impl<T: Serialize> Serialize for Open<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = JsonObject::from_value(&self.known).map_err(serde::ser::Error::custom)?;
        let rest = self.extra.iter().filter(|(key, _)| !known.contains_key(key));
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in known.iter().chain(rest) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, T: Serialize + DeserializeOwned> Deserialize<'de> for Open<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let known: T = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        let mut extra: JsonObject = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        let named = JsonObject::from_value(&known).map_err(D::Error::custom)?;
        extra.retain(|key, _| !named.contains_key(key));
        Ok(Self { known, extra })
    }
}

impl<T: TS + 'static> TS for Open<T> {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(cfg: &ts_rs::Config) -> String {
        format!("{} & {}", T::name(cfg), JsonObject::name(cfg))
    }

    fn inline(cfg: &ts_rs::Config) -> String {
        Self::name(cfg)
    }

    fn visit_dependencies(visitor: &mut impl ts_rs::TypeVisitor) {
        visitor.visit::<T>();
    }
}

/// One member of an object, read without the others. `None` when it is absent or not a string.
pub(crate) fn tag_of<'a>(object: &'a str, member: &'static str) -> Option<Cow<'a, str>> {
    struct Tag(&'static str);

    /// Text borrowed from the input where its spelling allows.
    struct Text<'a>(Cow<'a, str>);

    impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Words;
            impl<'de> Visitor<'de> for Words {
                type Value = Text<'de>;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a string")
                }
                fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                    Ok(Text(Cow::Borrowed(text)))
                }
                fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                    Ok(Text(Cow::Owned(text.to_owned())))
                }
            }
            deserializer.deserialize_str(Words)
        }
    }

    impl<'de> Visitor<'de> for Tag {
        type Value = Option<Cow<'de, str>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                if key == self.0 {
                    let value = map.next_value::<&'de RawValue>()?;
                    found = serde_json::from_str::<Text<'de>>(value.get()).ok().map(|text| text.0);
                } else {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(Tag(member)).ok().flatten()
}

/// Declare objects that cross a wire, in the notation of the protocol document.
///
/// * `name: T` is always there; `name: T | null` too, but may be `null` (`Option<T>`);
/// * `name: T = default` is always written, but a peer may leave it out or send something else;
/// * `name?: T` may be absent (`Option<T>`): `null` and values of the wrong type count as absent;
/// * `name: [T]` and `name?: [T]` are lists read entry by entry: malformed entries are left out, what is no list is absent;
/// * `name?: T | null` may be absent or `null`, and the difference matters ([`Maybe`]).
///
/// Members are camelCase on the wire, unknown ones are ignored.
macro_rules! wire {
    () => {};
    ($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* } $($rest:tt)*) => {
        $crate::json::wire!(@fields [$(#[$meta])*] $name [] $($body)*);
        $crate::json::wire!($($rest)*);
    };

    (@fields [$($meta:tt)*] $name:ident [$($out:tt)*]) => {
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, ts_rs::TS)]
        #[serde(rename_all = "camelCase")]
        $($meta)*
        pub struct $name { $($out)* }
    };
    (@fields $meta:tt $name:ident [$($out:tt)*] $(#[$field_meta:meta])* $field:ident ? : [$type:ty], $($rest:tt)*) => {
        $crate::json::wire!(@fields $meta $name [$($out)*
            $(#[$field_meta])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[serde(deserialize_with = "crate::json::lenient_list_opt")]
            #[ts(optional)]
            pub $field: Option<Vec<$type>>,
        ] $($rest)*);
    };
    (@fields $meta:tt $name:ident [$($out:tt)*] $(#[$field_meta:meta])* $field:ident : [$type:ty], $($rest:tt)*) => {
        $crate::json::wire!(@fields $meta $name [$($out)*
            $(#[$field_meta])*
            #[serde(default, deserialize_with = "crate::json::lenient_list")]
            pub $field: Vec<$type>,
        ] $($rest)*);
    };
    (@fields $meta:tt $name:ident [$($out:tt)*] $(#[$field_meta:meta])* $field:ident ? : $type:ty | null, $($rest:tt)*) => {
        $crate::json::wire!(@fields $meta $name [$($out)*
            $(#[$field_meta])*
            #[serde(default, skip_serializing_if = "crate::json::Maybe::is_absent")]
            #[serde(deserialize_with = "crate::json::lenient_maybe")]
            #[ts(optional = nullable)]
            pub $field: $crate::json::Maybe<$type>,
        ] $($rest)*);
    };
    (@fields $meta:tt $name:ident [$($out:tt)*] $(#[$field_meta:meta])* $field:ident ? : $type:ty, $($rest:tt)*) => {
        $crate::json::wire!(@fields $meta $name [$($out)*
            $(#[$field_meta])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[serde(deserialize_with = "crate::json::lenient")]
            #[ts(optional)]
            pub $field: Option<$type>,
        ] $($rest)*);
    };
    (@fields $meta:tt $name:ident [$($out:tt)*] $(#[$field_meta:meta])* $field:ident : $type:ty = default, $($rest:tt)*) => {
        $crate::json::wire!(@fields $meta $name [$($out)*
            $(#[$field_meta])*
            #[serde(default, deserialize_with = "crate::json::or_default")]
            pub $field: $type,
        ] $($rest)*);
    };
    (@fields $meta:tt $name:ident [$($out:tt)*] $(#[$field_meta:meta])* $field:ident : $type:ty | null, $($rest:tt)*) => {
        $crate::json::wire!(@fields $meta $name [$($out)*
            $(#[$field_meta])*
            #[serde(default)]
            pub $field: Option<$type>,
        ] $($rest)*);
    };
    (@fields $meta:tt $name:ident [$($out:tt)*] $(#[$field_meta:meta])* $field:ident : $type:ty, $($rest:tt)*) => {
        $crate::json::wire!(@fields $meta $name [$($out)*
            $(#[$field_meta])*
            pub $field: $type,
        ] $($rest)*);
    };
}
pub(crate) use wire;

/// Declare a union of objects told apart by the string member `by`.
///
/// `or Nested(T)` tries the rows of `T` as well. With `else { Other }` at the end, anything that fits no row is kept as it came; without, it is an error.
macro_rules! tagged {
    (
        $(#[$meta:meta])*
        pub enum $name:ident by $tag:literal {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident = $word:literal $(| $alias:literal)* ($payload:ty),
            )*
        }
        $(or $nested:ident ($nested_type:ty))?
        $(else { $(#[$other_meta:meta])* $other:ident })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, ts_rs::TS)]
        #[serde(tag = $tag)]
        pub enum $name {
            $(
                $(#[$variant_meta])*
                #[serde(rename = $word)]
                $variant($payload),
            )*
            $(
                /// One of another union with the same tag.
                #[serde(untagged)]
                $nested($nested_type),
            )?
            $(
                $(#[$other_meta])*
                #[serde(untagged)]
                #[ts(skip)]
                $other($crate::events::RawJson),
            )?
        }

        impl $name {
            /// Every word the tag may be, in order of declaration.
            pub const TAGS: &'static [&'static str] = &[$($word),*];

            /// The member that tells the rows apart, as it stands on the wire; empty for things without one.
            pub fn tag(&self) -> std::borrow::Cow<'_, str> {
                match self {
                    $(Self::$variant(_) => std::borrow::Cow::Borrowed($word),)*
                    $(Self::$nested(nested) => nested.tag(),)?
                    $(Self::$other(raw) => $crate::json::tag_of(raw.get(), $tag).unwrap_or_default(),)?
                }
            }

            /// Read one row from JSON text.
            pub fn from_json(text: &str) -> serde_json::Result<Self> {
                let tag = $crate::json::tag_of(text, $tag);
                let error = match tag.as_deref() {
                    $(
                        Some($word $(| $alias)*) => match serde_json::from_str::<$payload>(text) {
                            Ok(payload) => return Ok(Self::$variant(payload)),
                            Err(error) => error,
                        },
                    )*
                    _ => <serde_json::Error as serde::de::Error>::custom(
                        concat!("no known `", $tag, "` in an object")
                    ),
                };
                $(
                    if let Ok(nested) = <$nested_type>::from_json(text) {
                        return Ok(Self::$nested(nested));
                    }
                )?
                $crate::json::tagged!(@misfit text error $($other)?)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
                Self::from_json(raw.get()).map_err(serde::de::Error::custom)
            }
        }
    };
    (@misfit $text:ident $error:ident) => { Err($error) };
    (@misfit $text:ident $error:ident $other:ident) => {{
        let _ = $error;
        $crate::json::keep_object($text).map(Self::$other)
    }};
}
pub(crate) use tagged;

/// Keep something that fits no row; only objects may.
#[doc(hidden)]
pub fn keep_object(text: &str) -> serde_json::Result<RawJson> {
    if text.trim_start().starts_with('{') {
        return RawJson::parse(text.trim().to_owned());
    }
    Err(serde_json::Error::custom("expected a JSON object"))
}

/// Declare a closed set of strings.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal ),* $(,)? }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, ts_rs::TS)]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $word)] $variant, )*
        }

        impl $name {
            /// Every word, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The word as it stands on the wire, read.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    )*};
}
pub(crate) use words;
