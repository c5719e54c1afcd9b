//! Where values are non-zero, and where cotangents are asked for.

/// Where an op's vjp reads the cotangent of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// At every element.
    Everywhere,
    /// Only where the output is not zero: elsewhere the derivative is zero whatever the cotangent.
    Support,
}
