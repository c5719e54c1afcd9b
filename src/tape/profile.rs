//! Where the time of a step goes.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::text::Table;

/// Which way an op ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// How often something ran, and how long that took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How often it ran forward.
    pub calls: u64,
    /// Time of all runs forward.
    pub forward: Duration,
    /// Time of all runs backward.
    pub backward: Duration,
}

impl Cost {
    /// Forward and backward together.
    pub fn total(&self) -> Duration {
        self.forward + self.backward
    }

    fn add(&mut self, other: &Cost) {
        self.calls += other.calls;
        self.forward += other.forward;
        self.backward += other.backward;
    }
}

/// The time of every op between [`start_profile`](crate::Tape::start_profile) and
/// [`stop_profile`](crate::Tape::stop_profile), apart by kind of op and by line of the program.
///
/// Printed, it is two tables in microseconds a step, the dearest first. Only ops are measured: what the program does
/// between them, such as the optimizer's step, is not. Reading the clock takes some tens of nanoseconds an op, which
/// a step on tiny tensors shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub(crate) steps: u64,
    /// By kind of op and line, in their order.
    costs: Vec<((&'static str, &'static Location<'static>), Cost)>,
}

impl Profile {
    pub(crate) fn add(
        &mut self,
        op: &'static str,
        at: &'static Location<'static>,
        direction: Direction,
        time: Duration,
    ) {
        let key = (op, at);
        let place = match self.costs.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(known) => known,
            Err(place) => {
                self.costs.insert(place, (key, Cost::default()));
                place
            }
        };
        let cost = &mut self.costs[place].1;
        match direction {
            Direction::Forward => {
                cost.calls += 1;
                cost.forward += time;
            }
            Direction::Backward => cost.backward += time,
        }
    }

    /// How many recordings it covers.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The cost of all ops together.
    pub fn total(&self) -> Cost {
        let mut total = Cost::default();
        self.costs.iter().for_each(|(_, cost)| total.add(cost));
        total
    }

    /// The cost of each kind of op, by name, the dearest first.
    pub fn by_op(&self) -> Vec<(&'static str, Cost)> {
        self.grouped(|op, _| op)
    }

    /// The cost of each line of the program, as `file:line`, the dearest first.
    pub fn by_line(&self) -> Vec<(String, Cost)> {
        self.grouped(|_, at| format!("{}:{}", at.file(), at.line()))
    }

    fn grouped<K: Ord>(&self, key: impl Fn(&'static str, &Location) -> K) -> Vec<(K, Cost)> {
        let mut groups: Vec<(K, Cost)> = Vec::new();
        for &((op, at), ref cost) in &self.costs {
            let key = key(op, at);
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, sum)) => sum.add(cost),
                None => groups.push((key, *cost)),
            }
        }
        groups.sort_by(|(a, of_a), (b, of_b)| (of_b.total(), a).cmp(&(of_a.total(), b)));
        groups
    }

    fn table(&self, title: &str, mut rows: Vec<(String, Cost)>) -> Table<6> {
        let steps = self.steps.max(1) as f64;
        let micros = |time: Duration| format!("{:.2}", 1e6 * time.as_secs_f64() / steps);
        let whole = self.total().total().as_secs_f64();
        let mut table = Table::new([title, "calls", "forward µs", "backward µs", "total µs", "share"]);
        rows.push(("all".into(), self.total()));
        for (name, cost) in rows {
            let share = if whole == 0.0 { 0.0 } else { 100.0 * cost.total().as_secs_f64() / whole };
            let calls = format!("{:.1}", cost.calls as f64 / steps);
            let times = [cost.forward, cost.backward, cost.total()].map(micros);
            let [forward, backward, total] = times;
            table.row([name, calls, forward, backward, total, format!("{share:.1} %")]);
        }
        table
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "a step, as the mean of {}", self.steps)?;
        writeln!(f)?;
        let by_op = self.grouped(|op, _| op.to_string());
        writeln!(f, "{}", self.table("op", by_op))?;
        write!(f, "{}", self.table("line", self.by_line()))
    }
}
