//! The kernels whose instructions are counted too, by the clock.

use arterial_kernels::{Kernel, Work, kernels};
use criterion::Throughput;

fn main() {
    let mut criterion = arterial_benches::criterion();
    for Kernel { name, work, setup } in kernels() {
        let (operation, settings) = name.split_once('/').unwrap_or((name, ""));
        let mut group = criterion.benchmark_group(operation);
        group.throughput(match *work {
            Work::Elements(elements) => Throughput::Elements(elements),
            Work::Bytes(bytes) => Throughput::Bytes(bytes),
        });
        group.bench_function(settings, |bench| {
            let mut run = setup();
            bench.iter(&mut run);
        });
    }
    criterion.final_summary();
}
