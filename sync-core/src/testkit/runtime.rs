//! A runtime with virtual time, in one thread.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;

use super::fate::splitmix;
use crate::clock::Now;
use crate::runtime::Runtime;

/// How far virtual time may go in one wait before it counts as a hang.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Where the wall clock starts, in milliseconds since 1970.
const WALL_START_MS: u64 = 1_700_000_000_000;

type Job = Box<dyn FnOnce() + Send>;
type Task = BoxFuture<'static, ()>;

/// Runs futures in one thread, in an order that its seed decides, and moves time on when nothing
/// else can be done. Blocking work runs in between, when no future is ready.
///
/// ```
/// use std::time::Duration;
/// use pocketsync_core::testkit::TestRuntime;
///
/// let runtime = TestRuntime::new(1);
/// let handle = runtime.handle();
/// runtime.block_on(handle.sleep_until(Duration::from_secs(3600)));
/// assert_eq!(runtime.now().mono, Duration::from_secs(3600));
/// ```
#[derive(Debug)]
pub struct TestRuntime {
    world: Arc<World>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    futures: BTreeMap<u64, Task>,
    spawned: u64,
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("running", &self.futures.len()).finish_non_exhaustive()
    }
}

/// What the handles share; it holds no tasks, so that tasks may hold it.
struct World {
    state: Mutex<State>,
    ready: Arc<Ready>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("mono", &self.lock().mono).finish_non_exhaustive()
    }
}

struct State {
    mono: Duration,
    wall_offset_ms: i64,
    random: u64,
    next: u64,
    job_time: Duration,
    timers: BTreeMap<(Duration, u64), Waker>,
    jobs: BTreeMap<(Duration, u64), Job>,
}

/// The tasks that want to be polled.
#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<u64>>,
}

struct TaskWaker {
    task: u64,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.task);
    }
}

impl Ready {
    fn lock(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, task: u64) {
        let mut queue = self.lock();
        if !queue.contains(&task) {
            queue.push_back(task);
        }
    }

    fn waker(self: &Arc<Self>, task: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { task, ready: Arc::clone(self) }))
    }
}

impl World {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn random(&self) -> u64 {
        splitmix(&mut self.lock().random)
    }

    /// Takes one of the tasks that want to be polled.
    fn take_ready(&self) -> Option<u64> {
        let mut queue = self.ready.lock();
        let index = match queue.len() {
            0 => return None,
            1 => 0,
            len => (self.random() % len as u64) as usize,
        };
        queue.remove(index)
    }

    /// Does the next piece of blocking work, or moves time on to the next timer. Says whether
    /// there was either.
    fn advance(&self) -> bool {
        let mut state = self.lock();
        let job = state.jobs.first_key_value().map(|(key, _)| *key);
        let timer = state.timers.first_key_value().map(|(key, _)| *key);
        match (job, timer) {
            (Some(job), timer) if timer.is_none_or(|timer| job.0 <= timer.0) => {
                state.mono = state.mono.max(job.0);
                let work = state.jobs.remove(&job);
                drop(state);
                work.into_iter().for_each(|work| work());
            }
            (_, Some(timer)) => {
                state.mono = state.mono.max(timer.0);
                let waker = state.timers.remove(&timer);
                drop(state);
                waker.into_iter().for_each(Waker::wake);
            }
            _ => return false,
        }
        true
    }
}

impl TestRuntime {
    /// A runtime whose order of execution and randomness follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let state = State {
            mono: Duration::ZERO,
            wall_offset_ms: 0,
            random: seed,
            next: 1,
            job_time: Duration::ZERO,
            timers: BTreeMap::new(),
            jobs: BTreeMap::new(),
        };
        let world = World { state: Mutex::new(state), ready: Arc::default() };
        TestRuntime { world: Arc::new(world), tasks: Mutex::default() }
    }

    /// What drivers are given.
    pub fn handle(&self) -> Arc<dyn Runtime> {
        Arc::new(Handle { world: Arc::clone(&self.world) })
    }

    /// The clocks.
    pub fn now(&self) -> Now {
        self.world.lock().now()
    }

    /// Sets the wall clock forward or back.
    pub fn jump_wall(&self, by_ms: i64) {
        self.world.lock().wall_offset_ms += by_ms;
    }

    /// From now on blocking work begins so long after it was handed over.
    pub fn set_job_time(&self, time: Duration) {
        self.world.lock().job_time = time;
    }

    /// Runs a future beside others, whenever somebody [`block_on`](Self::block_on)s. Answers its
    /// number.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> u64 {
        let mut tasks = self.tasks();
        tasks.spawned += 1;
        let task = tasks.spawned;
        tasks.futures.insert(task, Box::pin(future));
        self.world.ready.push(task);
        task
    }

    /// Drops a future where it stands.
    pub fn abort(&self, task: u64) {
        // Dropped after the lock is gone: what it drops may wake others.
        let _dropped = self.tasks().futures.remove(&task);
    }

    /// Whether a future has ended, or was dropped.
    pub fn is_finished(&self, task: u64) -> bool {
        !self.tasks().futures.contains_key(&task)
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a future to its end, and the spawned ones as far as they get meanwhile.
    ///
    /// # Panics
    /// When nothing can happen any more although the future has not ended, or when a day of
    /// virtual time has passed.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let started = self.now().mono;
        let main = self.world.ready.waker(0);
        self.world.ready.push(0);
        loop {
            while let Some(task) = self.world.take_ready() {
                if task > 0 {
                    self.poll_task(task);
                } else if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&main)) {
                    return value;
                }
            }
            assert!(self.world.advance(), "nothing is ready, no timer runs, and the future has not ended");
            assert!(self.now().mono - started < PATIENCE, "the future has not ended in a day");
        }
    }

    fn poll_task(&self, task: u64) {
        let Some(mut future) = self.tasks().futures.remove(&task) else { return };
        let waker = self.world.ready.waker(task);
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks().futures.insert(task, future);
        }
    }

    /// Lets time pass, and what happens in it happen.
    pub fn advance(&self, time: Duration) {
        let until = self.now().mono + time;
        self.block_on(self.handle().sleep_until(until));
    }

    /// Runs the spawned futures until time would have to move on.
    pub fn settle(&self) {
        loop {
            while let Some(task) = self.world.take_ready() {
                self.poll_task(task);
            }
            let now = self.now().mono;
            let due = self.world.lock().due_by(now);
            if !due {
                return;
            }
            self.world.advance();
        }
    }
}

impl State {
    fn now(&self) -> Now {
        let mono_ms = self.mono.as_millis() as u64;
        Now { mono: self.mono, wall_ms: (WALL_START_MS + mono_ms).saturating_add_signed(self.wall_offset_ms) }
    }

    fn due_by(&self, now: Duration) -> bool {
        let due = |key: Option<(Duration, u64)>| key.is_some_and(|(at, _)| at <= now);
        due(self.jobs.keys().next().copied()) || due(self.timers.keys().next().copied())
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// The runtime as drivers see it.
#[derive(Debug)]
struct Handle {
    world: Arc<World>,
}

impl Runtime for Handle {
    fn now(&self) -> Now {
        self.world.lock().now()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        let world = Arc::clone(&self.world);
        let number = world.lock().number();
        Box::pin(Sleep { world, deadline, number })
    }

    fn entropy(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.world.random() as u8;
        }
    }

    fn unblock(&self, job: Job) -> BoxFuture<'static, ()> {
        let (done, wait) = oneshot::channel();
        let mut state = self.world.lock();
        let key = (state.mono + state.job_time, state.number());
        state.jobs.insert(
            key,
            Box::new(move || {
                job();
                let _gone = done.send(());
            }),
        );
        Box::pin(async move {
            let _vanished = wait.await;
        })
    }
}

struct Sleep {
    world: Arc<World>,
    deadline: Duration,
    number: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.world.lock();
        let key = (self.deadline, self.number);
        if state.mono >= self.deadline {
            state.timers.remove(&key);
            return Poll::Ready(());
        }
        state.timers.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.world.lock().timers.remove(&(self.deadline, self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_when_nothing_else_can() {
        let runtime = TestRuntime::new(1);
        let order = Arc::new(Mutex::new(Vec::new()));
        for seconds in [3, 1, 2] {
            let (handle, order) = (runtime.handle(), Arc::clone(&order));
            runtime.spawn(async move {
                handle.sleep_until(Duration::from_secs(seconds)).await;
                order.lock().unwrap().push(seconds);
            });
        }
        runtime.advance(Duration::from_millis(2500));
        assert_eq!(*order.lock().unwrap(), [1, 2]);
        runtime.advance(Duration::from_secs(1));
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn blocking_work_runs_even_if_nobody_waits() {
        let runtime = TestRuntime::new(1);
        runtime.set_job_time(Duration::from_millis(5));
        let (done, mut wait) = oneshot::channel();
        drop(runtime.handle().unblock(Box::new(move || done.send(()).unwrap())));
        runtime.advance(Duration::from_millis(4));
        assert_eq!(wait.try_recv(), Ok(None));
        runtime.advance(Duration::from_millis(1));
        assert_eq!(wait.try_recv(), Ok(Some(())));
    }

    #[test]
    #[should_panic(expected = "nothing is ready")]
    fn a_hang_is_told() {
        TestRuntime::new(1).block_on(futures::future::pending::<()>());
    }
}
