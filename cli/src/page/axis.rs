//! From figures to places: scales, their marks, and short names of figures.

/// How far apart figures are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scale {
    Linear,
    /// Each power of ten as far from the next; nothing below the least figure above zero.
    Log,
    /// Shares from 0 to below 1, by how many nines they have: each as far from the next.
    Nines,
}

/// One side of a plot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// What it shows, with its unit.
    pub(crate) label: &'static str,
    pub(crate) scale: Scale,
}

/// An axis with its ends.
pub(crate) struct Ruler {
    scale: Scale,
    low: f64,
    high: f64,
}

/// Marks of a linear axis, about.
const MARKS: f64 = 4.0;

impl Ruler {
    /// From the least to the greatest of some figures, and on to the next mark.
    pub(crate) fn over(scale: Scale, figures: impl Iterator<Item = f64>) -> Self {
        let figures = figures.filter(|figure| figure.is_finite() && (scale != Scale::Log || *figure > 0.0));
        let (low, high) =
            figures.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), f| (low.min(f), high.max(f)));
        if low > high {
            return Self { scale, low: 0.0, high: 1.0 };
        }
        let (low, high) = match scale {
            // Zero is always there: what looks like twice as much is twice as much.
            Scale::Linear => {
                let high = if high > 0.0 { high } else { 1.0 };
                let step = step_of(high);
                (0.0, (high / step - 1e-9).ceil() * step)
            }
            Scale::Log => {
                let (low, high) = (low.log10().floor(), high.log10().ceil());
                (low, if high > low { high } else { low + 1.0 })
            }
            Scale::Nines => (0.0, nines(high).max(1.0)),
        };
        Self { scale, low, high }
    }

    /// Where a figure is, from 0 to 1.
    pub(crate) fn place(&self, figure: f64) -> f64 {
        let figure = match self.scale {
            Scale::Linear => figure,
            Scale::Log => figure.max(f64::MIN_POSITIVE).log10(),
            Scale::Nines => nines(figure),
        };
        ((figure - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Figures to mark, and their names.
    pub(crate) fn marks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => {
                let step = step_of(self.high);
                let marks = (0..=20).map(|n| f64::from(n) * step);
                marks
                    .take_while(|mark| *mark <= self.high * (1.0 + 1e-9))
                    .map(|mark| (mark, short(mark)))
                    .collect()
            }
            Scale::Log => {
                let mut marks = Vec::new();
                let (mut power, decades) = (self.low, self.high - self.low);
                // Every second power where there are many, more within where there is one.
                let by = if decades > 6.0 { 2.0 } else { 1.0 };
                while power <= self.high {
                    marks.push(10f64.powf(power));
                    if decades <= 2.0 && power < self.high {
                        marks.extend([2.0, 5.0].map(|part| part * 10f64.powf(power)));
                    }
                    power += by;
                }
                marks.into_iter().map(|mark| (mark, short(mark))).collect()
            }
            Scale::Nines => {
                let marks = [
                    (0.0, "0"),
                    (0.5, "50%"),
                    (0.9, "90%"),
                    (0.99, "99%"),
                    (0.999, "99.9%"),
                    (0.9999, "99.99%"),
                ];
                let shown = marks.into_iter().filter(|(mark, _)| nines(*mark) <= self.high * (1.0 + 1e-9));
                shown.map(|(mark, name)| (mark, name.to_owned())).collect()
            }
        }
    }
}

fn nines(share: f64) -> f64 {
    -(1.0 - share.clamp(0.0, 0.999_999)).log10()
}

/// A step of 1, 2 or 5 times a power of ten, of which some reach a figure.
fn step_of(high: f64) -> f64 {
    let raw = high / MARKS;
    let power = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|part| part * power)
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(10.0 * power)
}

/// A figure in few characters.
pub(crate) fn short(figure: f64) -> String {
    let (value, unit) = match figure.abs() {
        size if size >= 999_500_000.0 => (figure / 1e9, " G"),
        size if size >= 999_500.0 => (figure / 1e6, " M"),
        size if size >= 9_999.5 => (figure / 1e3, " k"),
        _ => (figure, ""),
    };
    let digits = match value.abs() {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.01 => 3,
        _ => 5,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_short_names() {
        let known = [
            (0.0, "0"),
            (0.25, "0.25"),
            (3.0, "3"),
            (12.34, "12.3"),
            (258_824.0, "259 k"),
            (1234.0, "1234"),
            (2_500_000.0, "2.5 M"),
            (0.0259, "0.026"),
            (1e9, "1 G"),
        ];
        for (figure, name) in known {
            assert_eq!(short(figure), name);
        }
    }

    #[test]
    fn marks_are_round_and_reach_the_figures() {
        let linear = Ruler::over(Scale::Linear, [3.0, 87.0].into_iter());
        let marks: Vec<_> = linear.marks().into_iter().map(|(mark, _)| mark).collect();
        assert_eq!(marks, [0.0, 50.0, 100.0]);
        assert_eq!((linear.place(0.0), linear.place(50.0), linear.place(200.0)), (0.0, 0.5, 1.0));
        let log = Ruler::over(Scale::Log, [0.0, 0.3, 250.0].into_iter());
        let names: Vec<_> = log.marks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["0.1", "1", "10", "100", "1000"]);
        assert!((log.place(10.0) - 0.5).abs() < 1e-9);
        let nines = Ruler::over(Scale::Nines, [0.0, 0.999].into_iter());
        assert!((nines.place(0.9) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(nines.marks().last().unwrap().1, "99.9%");
    }

    #[test]
    fn nothing_to_show_has_an_axis_too() {
        for scale in [Scale::Linear, Scale::Log, Scale::Nines] {
            for figures in [vec![], vec![0.0], vec![f64::NAN], vec![5.0; 3]] {
                let ruler = Ruler::over(scale, figures.into_iter());
                assert!(ruler.marks().len() >= 2, "{scale:?}");
                assert!(ruler.place(5.0).is_finite());
            }
        }
    }
}
