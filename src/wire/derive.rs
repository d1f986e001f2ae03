//! The macro that gives [`Encode`](super::Encode) and [`Decode`](super::Decode) to the structs and
//! enums written inside it.
//!
//! It takes plain Rust items, returns them unchanged, and adds the two impls: the fields in their
//! order; for an enum, first a tag byte (0 for the first variant, and so on). How it works: the
//! first rule that matches an item's head passes its generics and its body to an inner rule
//! (`@...`), one for each kind of body.

/// Implements [`Encode`](crate::wire::Encode) and [`Decode`](crate::wire::Decode) for structs and
/// enums.
///
/// ```
/// use std::collections::BTreeMap;
///
/// groundwire::wire! {
///     /// Docs, attributes and visibility stay.
///     #[derive(Clone, Debug, PartialEq)]
///     pub struct Order { pub id: u64, pub lines: Vec<Line>, pub notes: BTreeMap<String, String> }
///
///     #[derive(Clone, Debug, PartialEq)]
///     pub struct Line(pub String, pub u32);
///
///     /// Borrows from the message.
///     #[derive(Debug)]
///     pub struct View<'a> { pub id: u64, pub raw: &'a [u8], pub title: &'a str }
///
///     /// Recursive, with a type parameter.
///     #[derive(Debug, PartialEq)]
///     pub enum Tree<T> { Leaf, Node { value: T, left: Box<Tree<T>>, right: Box<Tree<T>> } }
/// }
/// ```
///
/// # Later versions
///
/// The fields define the format of a struct or enum: one more field makes another format, unless
/// `..` leaves room for it. After `..`, a struct has the fields of later versions, each an
/// `Option`: an old reader skips the fields that it does not know, and a new reader finds `None`
/// where an old writer ended. In an enum, `..` is followed by the variant that holds a variant of a
/// later version, as [`Unknown`](crate::wire::Unknown).
///
/// ```
/// # use groundwire::wire::{decode, encode};
/// mod old {
///     groundwire::wire! {
///         #[derive(Debug, PartialEq)]
///         pub struct User { pub name: String, .. }
///
///         #[derive(Debug)]
///         pub enum Event { Login(User), .. Other }
///     }
/// }
/// mod new {
///     groundwire::wire! {
///         #[derive(Debug, PartialEq)]
///         pub struct User { pub name: String, .. pub mail: Option<String> }
///
///         #[derive(Debug)]
///         pub enum Event { Login(User), Logout { seconds: u32 }, .. Other }
///     }
/// }
/// let ann = new::User { name: "ann".into(), mail: Some("ann@example.org".into()) };
/// let seen: old::User = decode(&encode(&ann)?)?;
/// assert_eq!(seen.name, "ann");
///
/// let event: old::Event = decode(&encode(&new::Event::Logout { seconds: 9 })?)?;
/// assert!(matches!(event, old::Event::Other(ref unknown) if unknown.tag() == 1));
/// # Ok::<(), groundwire::wire::Error>(())
/// ```
///
/// # Limits of the macro
///
/// One lifetime, type parameters without bounds, no comma after the last, no `where`; no `#[cfg]`
/// on fields and variants; up to 8 fields in a tuple struct or tuple variant; up to 256 variants. A
/// type without bytes (`struct Marker;`) can be sent, but cannot be an element of a collection.
#[macro_export]
macro_rules! wire {
    () => {};

    // struct Name { fields, .. later fields }
    ($(#[$attr:meta])* $vis:vis struct $name:ident $(<$($param:tt),+>)? {
        $($(#[$fattr:meta])* $fvis:vis $field:ident: $type:ty,)*
        .. $($(#[$lattr:meta])* $lvis:vis $late:ident: $ltype:ty),* $(,)?
    } $($more:tt)*) => {
        $(#[$attr])* $vis struct $name $(<$($param),+>)? {
            $($(#[$fattr])* $fvis $field: $type,)*
            $($(#[$lattr])* $lvis $late: $ltype,)*
        }
        $crate::wire!(@impl $name [$($($param)+)?] later { $($field: $type,)* } { $($late: $ltype,)* });
        $crate::wire! { $($more)* }
    };

    // struct Name { fields }
    ($(#[$attr:meta])* $vis:vis struct $name:ident $(<$($param:tt),+>)? {
        $($(#[$fattr:meta])* $fvis:vis $field:ident: $type:ty),* $(,)?
    } $($more:tt)*) => {
        $(#[$attr])* $vis struct $name $(<$($param),+>)? {
            $($(#[$fattr])* $fvis $field: $type,)*
        }
        $crate::wire!(@impl $name [$($($param)+)?] named { $($field: $type,)* });
        $crate::wire! { $($more)* }
    };

    // struct Name(fields);
    ($(#[$attr:meta])* $vis:vis struct $name:ident $(<$($param:tt),+>)? (
        $($(#[$fattr:meta])* $fvis:vis $type:ty),* $(,)?
    ); $($more:tt)*) => {
        $(#[$attr])* $vis struct $name $(<$($param),+>)? ($($(#[$fattr])* $fvis $type),*);
        $crate::wire!(@impl $name [$($($param)+)?] tuple ($($type),*));
        $crate::wire! { $($more)* }
    };

    // struct Name;
    ($(#[$attr:meta])* $vis:vis struct $name:ident; $($more:tt)*) => {
        $(#[$attr])* $vis struct $name;
        $crate::wire!(@impl $name [] tuple ());
        $crate::wire! { $($more)* }
    };

    ($(#[$attr:meta])* $vis:vis enum $name:ident $(<$($param:tt),+>)? {
        $($(#[$vattr:meta])* $variant:ident $(($($type:ty),* $(,)?))? $({ $($fields:tt)* })?,)*
        ..
    } $($more:tt)*) => {
        compile_error!("name the variant that holds what this version does not know: `.. Other`");
    };

    // enum Name { variants, .. Unknown }
    ($(#[$attr:meta])* $vis:vis enum $name:ident $(<$($param:tt),+>)? {
        $($(#[$vattr:meta])* $variant:ident $(($($type:ty),* $(,)?))? $({
            $($(#[$fattr:meta])* $field:ident: $ftype:ty),* $(,)?
        })?,)*
        .. $(#[$oattr:meta])* $other:ident $(,)?
    } $($more:tt)*) => {
        $(#[$attr])* $vis enum $name $(<$($param),+>)? {
            $($(#[$vattr])* $variant $(($($type),*))? $({ $($(#[$fattr])* $field: $ftype),* })?,)*
            $(#[$oattr])* $other($crate::wire::Unknown),
        }
        $crate::wire!(@impl $name [$($($param)+)?] open $other {
            $($variant [$(($($type),*))?] [$({ $($field: $ftype),* })?],)*
        });
        $crate::wire! { $($more)* }
    };

    // enum Name { variants }
    ($(#[$attr:meta])* $vis:vis enum $name:ident $(<$($param:tt),+>)? {
        $($(#[$vattr:meta])* $variant:ident $(($($type:ty),* $(,)?))? $({
            $($(#[$fattr:meta])* $field:ident: $ftype:ty),* $(,)?
        })?),* $(,)?
    } $($more:tt)*) => {
        $(#[$attr])* $vis enum $name $(<$($param),+>)? {
            $($(#[$vattr])* $variant $(($($type),*))? $({ $($(#[$fattr])* $field: $ftype),* })?,)*
        }
        $crate::wire!(@impl $name [$($($param)+)?] closed {
            $($variant [$(($($type),*))?] [$({ $($field: $ftype),* })?],)*
        });
        $crate::wire! { $($more)* }
    };

    // The generics: none, a lifetime, types, a lifetime and types.
    (@impl $name:ident [] $($body:tt)*) => {
        $crate::wire!(@encode [] [$name] $($body)*);
        $crate::wire!(@decode ['wire] [] [$name] $($body)*);
    };
    (@impl $name:ident [$life:lifetime $($T:ident)*] $($body:tt)*) => {
        $crate::wire!(@encode [$life, $($T: $crate::wire::Encode),*] [$name<$life, $($T),*>] $($body)*);
        $crate::wire!(@decode [$life] [$($T: $crate::wire::Decode<$life>),*] [$name<$life, $($T),*>] $($body)*);
    };
    (@impl $name:ident [$($T:ident)+] $($body:tt)*) => {
        $crate::wire!(@encode [$($T: $crate::wire::Encode),+] [$name<$($T),+>] $($body)*);
        $crate::wire!(@decode ['wire] [$($T: $crate::wire::Decode<'wire>),+] [$name<$($T),+>] $($body)*);
    };

    // Encode, around the body of each kind.
    (@encode [$($params:tt)*] [$self:ty] $($body:tt)*) => {
        impl<$($params)*> $crate::wire::Encode for $self {
            const WIDTH: ::core::primitive::usize = $crate::wire!(@width $($body)*);
            const EMPTY: ::core::primitive::bool = $crate::wire!(@empty $($body)*);

            #[inline]
            fn encode(&self, writer: &mut $crate::wire::Writer) {
                if writer.enter::<Self>() {
                    $crate::wire!(@write self writer $($body)*);
                    writer.leave();
                }
            }

            #[inline]
            #[allow(unused_variables)]
            fn encode_row(&self, row: &mut $crate::wire::Row<'_>) {
                if row.enter() {
                    $crate::wire!(@row self row $($body)*);
                    row.leave();
                }
            }
        }
    };

    // A struct has a fixed width if all its fields have one; an enum has none.
    (@width named { $($field:ident: $type:ty,)* }) => {
        $crate::wire::width(&[$(<$type as $crate::wire::Encode>::WIDTH),*])
    };
    (@width tuple ($($type:ty),*)) => {
        $crate::wire::width(&[$(<$type as $crate::wire::Encode>::WIDTH),*])
    };
    (@width $($body:tt)*) => { 0 };

    (@empty named { $($field:ident: $type:ty,)* }) => {
        $crate::wire::empty(&[$(<$type as $crate::wire::Encode>::EMPTY),*])
    };
    (@empty tuple ($($type:ty),*)) => {
        $crate::wire::empty(&[$(<$type as $crate::wire::Encode>::EMPTY),*])
    };
    // A tag, or the room for later fields.
    (@empty $($body:tt)*) => { false };

    (@row $self:ident $row:ident named { $($field:ident: $type:ty,)* }) => {
        $($crate::wire::Encode::encode_row(&$self.$field, $row);)*
    };
    (@row $self:ident $row:ident tuple ($($type:ty),*)) => {
        #[allow(irrefutable_let_patterns)]
        { $crate::wire!(@fields $self [Self] encode_row $row ($($type),*)); }
    };
    (@row $self:ident $row:ident $($body:tt)*) => {};

    (@write $self:ident $w:ident named { $($field:ident: $type:ty,)* }) => {
        $($crate::wire::Encode::encode(&$self.$field, $w);)*
    };
    (@write $self:ident $w:ident later { $($field:ident: $type:ty,)* } { $($late:ident: $ltype:ty,)* }) => {
        $($crate::wire::Encode::encode(&$self.$field, $w);)*
        let block = $w.begin_block();
        // Absent fields at the end are left out.
        #[allow(unused_mut)]
        let mut present = $crate::wire::present(&[$($self.$late.is_some()),*]);
        $(if present > 0 {
            present -= 1;
            $crate::wire::Encode::encode(&$self.$late, $w);
        })*
        let _ = present;
        $w.end_block(block);
    };
    (@write $self:ident $w:ident tuple ($($type:ty),*)) => {
        #[allow(irrefutable_let_patterns)]
        { $crate::wire!(@fields $self [Self] encode $w ($($type),*)); }
    };
    // No value, nothing to write.
    (@write $self:ident $w:ident closed {}) => {};
    (@write $self:ident $w:ident closed { $($variant:ident [$($tuple:tt)?] [$($named:tt)?],)* }) => {
        #[allow(dead_code, non_camel_case_types, clippy::all)]
        #[repr(u8)]
        enum __GroundwireTag { $($variant),* }
        #[allow(irrefutable_let_patterns)]
        { $($crate::wire!(@variant $self $w $variant [$($tuple)?] [$($named)?]);)* }
    };
    (@write $self:ident $w:ident open $other:ident { $($variant:ident [$($tuple:tt)?] [$($named:tt)?],)* }) => {
        #[allow(dead_code, non_camel_case_types, clippy::all)]
        #[repr(u8)]
        enum __GroundwireTag { $($variant,)* $other }
        $($crate::wire!(@open_variant $self $w $variant [$($tuple)?] [$($named)?]);)*
        if let Self::$other(unknown) = $self {
            $crate::wire::Encode::encode(unknown, $w);
        }
    };

    // One variant: its tag and its fields, if it is the one.
    (@variant $self:ident $w:ident $variant:ident [] []) => {
        if let Self::$variant = $self { $w.put_array([__GroundwireTag::$variant as ::core::primitive::u8]); }
    };
    (@variant $self:ident $w:ident $variant:ident [($($type:ty),*)] []) => {
        if let Self::$variant(..) = $self {
            $w.put_array([__GroundwireTag::$variant as ::core::primitive::u8]);
            $crate::wire!(@fields $self [Self::$variant] encode $w ($($type),*));
        }
    };
    (@variant $self:ident $w:ident $variant:ident [] [{ $($field:ident: $type:ty),* }]) => {
        if let Self::$variant { $($field),* } = $self {
            $w.put_array([__GroundwireTag::$variant as ::core::primitive::u8]);
            $($crate::wire::Encode::encode($field, $w);)*
        }
    };
    (@open_variant $self:ident $w:ident $variant:ident [$($tuple:tt)?] [$($named:tt)?]) => {
        if let Self::$variant { .. } = $self {
            $w.put_array([__GroundwireTag::$variant as ::core::primitive::u8]);
            let block = $w.begin_block();
            $crate::wire!(@content $self $w $variant [$($tuple)?] [$($named)?]);
            $w.end_block(block);
        }
    };
    (@content $self:ident $w:ident $variant:ident [] []) => {};
    (@content $self:ident $w:ident $variant:ident [($($type:ty),*)] []) => {
        $crate::wire!(@fields $self [Self::$variant] encode $w ($($type),*));
    };
    (@content $self:ident $w:ident $variant:ident [] [{ $($field:ident: $type:ty),* }]) => {
        if let Self::$variant { $($field),* } = $self {
            $($crate::wire::Encode::encode($field, $w);)*
        }
    };

    // Fields without names need some: one rule for each number of them.
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ()) => {};
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ($A:ty)) => {
        if let $($path)+(a) = $self { $crate::wire!(@each $verb $w a); }
    };
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ($A:ty, $B:ty)) => {
        if let $($path)+(a, b) = $self { $crate::wire!(@each $verb $w a b); }
    };
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ($A:ty, $B:ty, $C:ty)) => {
        if let $($path)+(a, b, c) = $self { $crate::wire!(@each $verb $w a b c); }
    };
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ($A:ty, $B:ty, $C:ty, $D:ty)) => {
        if let $($path)+(a, b, c, d) = $self { $crate::wire!(@each $verb $w a b c d); }
    };
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ($A:ty, $B:ty, $C:ty, $D:ty, $E:ty)) => {
        if let $($path)+(a, b, c, d, e) = $self { $crate::wire!(@each $verb $w a b c d e); }
    };
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ($A:ty, $B:ty, $C:ty, $D:ty, $E:ty, $F:ty)) => {
        if let $($path)+(a, b, c, d, e, f) = $self { $crate::wire!(@each $verb $w a b c d e f); }
    };
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ($A:ty, $B:ty, $C:ty, $D:ty, $E:ty, $F:ty, $G:ty)) => {
        if let $($path)+(a, b, c, d, e, f, g) = $self { $crate::wire!(@each $verb $w a b c d e f g); }
    };
    (@fields $self:ident [$($path:tt)+] $verb:ident $w:ident ($A:ty, $B:ty, $C:ty, $D:ty, $E:ty, $F:ty, $G:ty, $H:ty)) => {
        if let $($path)+(a, b, c, d, e, f, g, h) = $self { $crate::wire!(@each $verb $w a b c d e f g h); }
    };
    (@each $verb:ident $w:ident $($name:ident)*) => { $($crate::wire::Encode::$verb($name, $w);)* };

    // Decode, around the body of each kind.
    (@decode [$life:lifetime] [$($params:tt)*] [$self:ty] $($body:tt)*) => {
        impl<$life, $($params)*> $crate::wire::Decode<$life> for $self {
            const LEAST: ::core::primitive::usize = $crate::wire!(@least $life $($body)*);

            #[inline]
            fn decode(
                reader: &mut $crate::wire::Reader<$life>,
            ) -> ::core::result::Result<Self, $crate::wire::Failed> {
                reader.enter::<Self>()?;
                let value = $crate::wire!(@read reader $($body)*);
                reader.leave();
                ::core::result::Result::Ok(value)
            }
        }
    };

    (@least $life:lifetime named { $($field:ident: $type:ty,)* }) => {
        0 $(+ <$type as $crate::wire::Decode<$life>>::LEAST)*
    };
    (@least $life:lifetime later { $($field:ident: $type:ty,)* } { $($late:tt)* }) => {
        8 $(+ <$type as $crate::wire::Decode<$life>>::LEAST)*
    };
    (@least $life:lifetime tuple ($($type:ty),*)) => {
        0 $(+ <$type as $crate::wire::Decode<$life>>::LEAST)*
    };
    // The tag alone: computing the least size of a recursive variant would not end.
    (@least $life:lifetime closed $variants:tt) => { 1 };
    (@least $life:lifetime open $other:ident $variants:tt) => { 9 };

    (@read $r:ident named { $($field:ident: $type:ty,)* }) => {
        Self { $($field: <$type as $crate::wire::Decode>::decode($r)?,)* }
    };
    (@read $r:ident later { $($field:ident: $type:ty,)* } { $($late:ident: $ltype:ty,)* }) => {{
        $(let $field = <$type as $crate::wire::Decode>::decode($r)?;)*
        let rest = $r.begin_block::<Self>()?;
        $(let $late: $ltype = $r.late_field()?;)*
        $r.skip_block(rest);
        Self { $($field,)* $($late,)* }
    }};
    (@read $r:ident tuple ()) => { Self {} };
    (@read $r:ident tuple ($($type:ty),+)) => {
        Self($(<$type as $crate::wire::Decode>::decode($r)?),+)
    };
    (@read $r:ident closed {}) => { $crate::wire::no_variant::<Self>($r)? };
    (@read $r:ident closed { $($variant:ident [$($tuple:tt)?] [$($named:tt)?],)* }) => {{
        #[allow(dead_code, non_camel_case_types, clippy::all)]
        #[repr(u8)]
        enum __GroundwireTag { $($variant),* }
        match <::core::primitive::u8 as $crate::wire::Decode>::decode($r)? {
            $(tag if tag == __GroundwireTag::$variant as ::core::primitive::u8 => {
                $crate::wire!(@value $r $variant [$($tuple)?] [$($named)?])
            })*
            tag => {
                let kind = $crate::wire::ErrorKind::UnknownTag { tag };
                return ::core::result::Result::Err($r.fail::<Self>(kind));
            }
        }
    }};
    (@read $r:ident open $other:ident { $($variant:ident [$($tuple:tt)?] [$($named:tt)?],)* }) => {{
        #[allow(dead_code, non_camel_case_types, clippy::all)]
        #[repr(u8)]
        enum __GroundwireTag { $($variant,)* $other }
        let tag = <::core::primitive::u8 as $crate::wire::Decode>::decode($r)?;
        let rest = $r.begin_block::<Self>()?;
        match tag {
            $(tag if tag == __GroundwireTag::$variant as ::core::primitive::u8 => {
                let value = $crate::wire!(@value $r $variant [$($tuple)?] [$($named)?]);
                $r.end_block::<Self>(rest)?;
                value
            })*
            tag => Self::$other($crate::wire::Unknown::read(tag, rest, $r)?),
        }
    }};
    (@value $r:ident $variant:ident [] []) => { Self::$variant };
    (@value $r:ident $variant:ident [($($type:ty),*)] []) => {
        Self::$variant($(<$type as $crate::wire::Decode>::decode($r)?),*)
    };
    (@value $r:ident $variant:ident [] [{ $($field:ident: $type:ty),* }]) => {
        Self::$variant { $($field: <$type as $crate::wire::Decode>::decode($r)?),* }
    };
}
