//! Tests of the machines alone and of two layers that talk to each other.

mod machine;
mod table;
