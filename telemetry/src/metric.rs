//! What a metric is, and how whoever moves it gets hold of it.

use metrics::{Counter, Gauge, Histogram, Unit};

/// What can be done with a metric.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// It only grows, until the process ends.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How often values came, by these upper bounds of buckets.
    Histogram(&'static [f64]),
}

/// A label, and its values where they are known beforehand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Every value that it can have; empty for a shard's number.
    pub values: &'static [&'static str],
}

/// One metric, with the labels that tell its series apart.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    /// Its name, as Prometheus shows it.
    pub name: &'static str,
    /// What can be done with it.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [Label],
    /// What it says.
    pub help: &'static str,
}

impl Metric {
    /// A series of a counter, by the values of its labels in their order.
    pub fn counter(&self, values: &[&str]) -> Counter {
        debug_assert_eq!(self.kind, Kind::Counter, "{}", self.name);
        metrics::counter!(self.name, &self.labelled(values))
    }

    /// A series of a gauge, by the values of its labels in their order.
    pub fn gauge(&self, values: &[&str]) -> Gauge {
        debug_assert_eq!(self.kind, Kind::Gauge, "{}", self.name);
        metrics::gauge!(self.name, &self.labelled(values))
    }

    /// A series of a histogram, by the values of its labels in their order.
    pub fn histogram(&self, values: &[&str]) -> Histogram {
        debug_assert!(matches!(self.kind, Kind::Histogram(_)), "{}", self.name);
        metrics::histogram!(self.name, &self.labelled(values))
    }

    fn labelled(&self, values: &[&str]) -> Vec<(&'static str, String)> {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        let labelled = self.labels.iter().zip(values);
        labelled.map(|(label, value)| (label.name, (*value).to_owned())).collect()
    }

    /// Tells the recorder what the metric says, and lets counters with known labels begin at 0, so that a rate sees
    /// their first step; so do gauges that not every engine sets.
    pub(crate) fn describe(&self) {
        let unit = match self.name {
            name if name.ends_with("_seconds") => Unit::Seconds,
            name if name.ends_with("_bytes") => Unit::Bytes,
            _ => Unit::Count,
        };
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, unit, self.help),
            Kind::Gauge => metrics::describe_gauge!(self.name, unit, self.help),
            Kind::Histogram(_) => metrics::describe_histogram!(self.name, unit, self.help),
        }
        match (self.kind, self.labels) {
            (Kind::Counter, []) => self.counter(&[]).increment(0),
            (Kind::Gauge, []) => self.gauge(&[]).increment(0.0),
            (Kind::Counter, [label]) => {
                label.values.iter().for_each(|value| self.counter(&[value]).increment(0));
            }
            _ => {}
        }
    }
}
