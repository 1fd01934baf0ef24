/// Two measurements that alternate, each in jobs a second.
pub(crate) struct Rounds {
    name: &'static str,
    aim: f64,
}

impl Rounds {
    pub(crate) fn new(name: &'static str, aim: f64) -> Self {
        Self { name, aim }
    }

    /// Alternates both, and prints the medians and the median of the ratios.
    pub(crate) fn run(&mut self, count: usize, mut one: impl FnMut() -> f64, mut other: impl FnMut() -> f64) {
        let (mut ones, mut others, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let (a, b) = (one(), other());
            ones.push(a);
            others.push(b);
            ratios.push(b / a);
        }
        let (spread_from, spread_to) = (least(&ratios), greatest(&ratios));
        let (a, b, ratio) = (median(ones), median(others), median(ratios));
        println!(
            "{:<42} {b:>9.0}/s over {a:>9.0}/s = {ratio:>6.2}  ({spread_from:.2} to {spread_to:.2}, aim {})",
            self.name, self.aim
        );
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
