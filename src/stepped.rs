//! An engine without threads.

use crate::{
    engine::Engine, error::EngineError, observer::Observer, pipeline::Pipeline, settle::Settler, stages::Turn,
};
use arterial_protocol::{BlockNumber, ShardId};
use std::fmt;

/// An engine in which nothing happens but when it is told to: for simulations, which need one order of things that
/// follows from a seed. Opened by [`EngineBuilder::open_stepped`](crate::EngineBuilder::open_stepped).
///
/// Its [`Engine`] is the ordinary handle. What would block there works for its own answer, in the caller's thread;
/// but a ticket's `wait` and [`Engine::flush`] wait for steps, so look first whether the ticket is answered, and ask
/// for blocks with [`Self::want_blocks`].
pub struct SteppedEngine {
    engine: Engine,
    pipeline: Pipeline,
    settler: Settler,
    observer: Observer,
}

impl fmt::Debug for SteppedEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteppedEngine").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl SteppedEngine {
    pub(crate) const fn new(
        engine: Engine,
        pipeline: Pipeline,
        settler: Settler,
        observer: Observer,
    ) -> Self {
        Self { engine, pipeline, settler, observer }
    }

    /// The handle that a host node holds.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Lets a shard commit one group or answer one question; whether there was any.
    pub fn step_shard(&self, shard: ShardId) -> bool {
        self.engine.shards().step(shard)
    }

    /// Makes a block if one is due; whether it was made.
    pub fn step_blocks(&mut self) -> bool {
        self.pipeline.step() == Turn::Worked
    }

    /// Asks the chain how far the blocks have come and posts what it lacks; whether nothing was in the way.
    pub fn step_settle(&self) -> bool {
        self.settler.step() == Turn::Worked
    }

    /// Sets the gauges of [`telemetry`](crate::telemetry) to what is now.
    pub fn observe(&mut self) {
        self.observer.step();
    }

    /// Asks for the blocks that everything durable needs, as [`Engine::flush`] does; the last of them.
    ///
    /// # Errors
    /// The engine was closed.
    pub fn want_blocks(&self) -> Result<BlockNumber, EngineError> {
        self.engine.want_blocks()
    }
}
