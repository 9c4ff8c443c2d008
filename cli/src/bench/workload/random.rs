//! Numbers that look like chance and are the same for the same seed.

/// A plain pseudorandom sequence: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Clone)]
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is far below 2^64.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place among so many.
    #[expect(clippy::cast_possible_truncation, reason = "a remainder by a length is below it")]
    pub(crate) const fn place(&mut self, length: usize) -> usize {
        (self.next() % length as u64) as usize
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Zipf's law: the n-th is drawn an n-th as often as the first.
#[derive(Clone)]
pub(crate) struct Zipf {
    /// How likely each one or one before it is, in order.
    up_to: Vec<f64>,
}

impl Zipf {
    #[expect(clippy::cast_precision_loss, reason = "a likelihood")]
    pub(crate) fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let mut up_to: Vec<f64> = (1..=count)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        up_to.iter_mut().for_each(|up_to| *up_to /= sum);
        Self { up_to }
    }

    pub(crate) fn draw(&self, random: &mut SplitMix64) -> usize {
        let drawn = random.unit();
        self.up_to.partition_point(|up_to| *up_to <= drawn).min(self.up_to.len() - 1)
    }
}
