//! The arguments of a fixture's case.

use quietgrad::Var;
use serde_json::Value;

/// An operation's arguments beside its inputs.
#[derive(Clone, Copy)]
pub struct Args<'a>(pub &'a Value);

impl Args<'_> {
    pub fn number(self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {}", self.0))
    }

    pub fn is(self, name: &str, text: &str) -> bool {
        self.0[name] == text
    }

    pub fn size(self, name: &str) -> usize {
        self.sizes(name)[0]
    }

    /// The axis `dim`, counted from the end if negative.
    pub fn axis(self, x: Var<f64>) -> usize {
        let axis = self.0["dim"].as_i64().expect("an axis");
        axis.rem_euclid(x.shape().rank() as i64) as usize
    }

    /// Beginning, end and step along each axis.
    pub fn ranges(self) -> impl Iterator<Item = [usize; 3]> {
        let ranges = self.0["ranges"].as_array().expect("a list of ranges").clone();
        ranges.into_iter().map(|range| [0, 1, 2].map(|i| range[i].as_u64().expect("a number") as usize))
    }

    /// A list of whole numbers; one number is a list of one.
    pub fn sizes(self, name: &str) -> Vec<usize> {
        let size = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} is no size")) as usize;
        match &self.0[name] {
            Value::Array(values) => values.iter().map(size).collect(),
            value => vec![size(value)],
        }
    }

    /// A reduction over the axes `dim`, all if there is none, which stay with size 1 if `keepdim` says so.
    pub fn reduce<'r>(
        self,
        x: Var<'r, f64>,
        f: impl Fn(Var<'r, f64>, &[usize]) -> Var<'r, f64>,
    ) -> Var<'r, f64> {
        let axes = match &self.0["dim"] {
            Value::Null => (0..x.shape().rank()).collect(),
            _ => self.sizes("dim"),
        };
        let y = f(x, &axes);
        if self.0["keepdim"] == true { axes.into_iter().fold(y, Var::unsqueeze) } else { y }
    }
}
