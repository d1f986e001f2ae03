//! Tests of the fields.
