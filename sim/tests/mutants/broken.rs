//! Parts that are broken on purpose: each stands between a machine and its store.

use pocketsync_sim::history::StatusView;
use pocketsync_sim::machines::{Between, Direct, Parts};
use pocketsync_sim::pocketsync_core::change::{Changeset, RowChange};
use pocketsync_sim::pocketsync_core::clock::{Hlc, Version};
use pocketsync_sim::pocketsync_core::id::RowId;
use pocketsync_sim::pocketsync_core::lineage::Cursor;
use pocketsync_sim::pocketsync_core::store::{
    Chunk, ChunkOutcome, MemoryStore, Store, StoreError, StoreReply, StoreRequest,
};
use pocketsync_sim::pocketsync_core::value::Value;
use pocketsync_sim::story::DeviceNo;

type Done = Result<StoreReply, StoreError>;

/// Who is broken, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mutant {
    /// The hub acknowledges some groups and drops what is in them.
    HubDropsGroups,
    /// The hub acknowledges before it commits, and is killed in between.
    HubAcksEarly,
    /// A device drops what is in some groups.
    DeviceDropsGroups,
    /// A device forgets to send what it folded.
    SkipsFolds,
    /// What a device sends says nothing of deletes.
    StripsDeaths,
    /// A device does not take deletes in.
    IgnoresDeaths,
    /// On one device the older of two writes wins.
    OlderWins,
    /// A device sends its writes under other versions than it keeps.
    RestampsWhatIsOffered,
    /// A device takes the first rows of a group and says that it has all.
    AppliesHalf,
    /// Devices write again what they were sent, as their own.
    Echoes,
    /// A device misses a piece and takes the next one.
    MissesGaps,
    /// A device makes a row of its own of one that it is sent.
    DoublesRows,
    /// A device shows what it had shown before again.
    GoesBackInTime,
    /// Long texts lose their end on their way.
    TearsValues,
    /// Rows that were written go, everywhere, and nobody deleted them.
    LosesRows,
    /// A client says that it is in sync, whatever happens.
    LiesInSync,
    /// A client never says that it is in sync.
    NeverInSync,
}

impl Parts for Mutant {
    fn device(&self, device: DeviceNo) -> Box<dyn Between> {
        use Mutant::*;
        let all = [SkipsFolds, StripsDeaths, RestampsWhatIsOffered, TearsValues, LosesRows, Echoes];
        let one = [
            DeviceDropsGroups,
            IgnoresDeaths,
            OlderWins,
            AppliesHalf,
            MissesGaps,
            DoublesRows,
            GoesBackInTime,
        ];
        if all.contains(self) || (one.contains(self) && device == DeviceNo(1)) {
            return Box::new(Broken::new(*self));
        }
        Box::new(Direct)
    }

    fn hub(&self) -> Box<dyn Between> {
        use Mutant::*;
        match self {
            HubAcksEarly => Box::new(Early(None)),
            HubDropsGroups => Box::new(Broken::new(*self)),
            _ => Box::new(Direct),
        }
    }

    fn status(&self, device: DeviceNo, status: StatusView) -> StatusView {
        match self {
            Mutant::LiesInSync if device == DeviceNo(1) => {
                StatusView { state: "live", in_sync: true, pending: 0, ..status }
            }
            Mutant::NeverInSync if device == DeviceNo(1) => {
                StatusView { state: "catching_up", in_sync: false, ..status }
            }
            _ => status,
        }
    }
}

/// Applies a request only when the next one comes.
struct Early(Option<StoreRequest>);

impl Between for Early {
    fn run(&mut self, store: &mut MemoryStore, request: StoreRequest) -> Done {
        if let Some(before) = self.0.take() {
            store.run(before)?;
        }
        let mut ahead = store.clone();
        let reply = ahead.run(request.clone())?;
        match request {
            StoreRequest::Apply { .. } => self.0 = Some(request),
            _ => *store = ahead,
        }
        Ok(reply)
    }
}

struct Broken {
    how: Mutant,
    count: u64,
    kept: Option<Changeset>,
}

impl Broken {
    fn new(how: Mutant) -> Self {
        Broken { how, count: 0, kept: None }
    }

    /// Whether it is time to do something wrong.
    fn now_and_then(&mut self, every: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(every)
    }

    fn apply(&mut self, store: &mut MemoryStore, mut request: StoreRequest) -> Done {
        let StoreRequest::Apply { scope, chunks } = &mut request else { return store.run(request) };
        let scope = scope.clone();
        match self.how {
            Mutant::HubDropsGroups | Mutant::DeviceDropsGroups => {
                for chunk in chunks {
                    if self.now_and_then(5) {
                        chunk.changeset = Changeset::default();
                    }
                }
            }
            Mutant::IgnoresDeaths => each_row(chunks, |row| row.life.died = None),
            Mutant::OlderWins => each_row(chunks, |row| {
                for cell in &mut row.cells {
                    cell.version.hlc = Hlc::from_ms(cell.version.hlc.ms().saturating_sub(3_600_000));
                }
            }),
            Mutant::AppliesHalf => {
                for table in chunks.iter_mut().flat_map(|chunk| &mut chunk.changeset.tables) {
                    let half = table.rows.len().div_ceil(2);
                    table.rows.truncate(half);
                }
            }
            Mutant::DoublesRows => {
                for table in chunks.iter_mut().flat_map(|chunk| &mut chunk.changeset.tables) {
                    let twins: Vec<RowChange> = table.rows.iter().filter_map(twin).collect();
                    table.rows.extend(twins);
                }
            }
            Mutant::GoesBackInTime => self.go_back(chunks),
            Mutant::Echoes => {
                let rows: Vec<(String, RowId)> = chunks
                    .iter()
                    .flat_map(|chunk| &chunk.changeset.tables)
                    .flat_map(|table| table.rows.iter().map(|row| (table.name.clone(), row.id.clone())))
                    .collect();
                let reply = store.run(request)?;
                echo(store, &scope, rows);
                return Ok(reply);
            }
            Mutant::MissesGaps => return self.miss(store, request),
            _ => {}
        }
        store.run(request)
    }

    /// Brings back what a cell showed some time ago, under a new version.
    fn go_back(&mut self, chunks: &mut [Chunk]) {
        let Some(chunk) = chunks.last_mut() else { return };
        let first = chunk.changeset.clone();
        if let Some(kept) = self.kept.take_if(|_| self.count % 6 == 5) {
            let now = chunk.changeset.max_hlc();
            let mut again = kept;
            for row in again.tables.iter_mut().flat_map(|table| &mut table.rows) {
                row.life = Default::default();
                for cell in &mut row.cells {
                    cell.version.hlc = Hlc::from_ms(now.ms() + 1_000);
                }
            }
            again.tables.retain(|table| !chunk.changeset.tables.iter().any(|other| other.name == table.name));
            chunk.changeset.tables.extend(again.tables);
        }
        self.count += 1;
        if self.kept.is_none() && !first.is_empty() {
            self.kept = Some(first);
        }
    }

    /// Takes a piece for read that it has not kept, and the next one as if it followed.
    fn miss(&mut self, store: &mut MemoryStore, request: StoreRequest) -> Done {
        let StoreRequest::Apply { scope, chunks } = request else { return store.run(request) };
        let mut outcomes = Vec::new();
        for mut chunk in chunks {
            let identity = store.run(StoreRequest::Identify { scope: scope.clone() })?;
            let StoreReply::Identity(identity) = identity else { continue };
            let held = identity.holdings.iter().find(|holding| holding.replica == chunk.peer);
            let held = held.map_or(Cursor::ZERO, |holding| holding.cursor.clone());
            if self.now_and_then(4) {
                outcomes.push(ChunkOutcome::Staged { held: chunk.to });
                continue;
            }
            chunk.from = held;
            let reply = store.run(StoreRequest::Apply { scope: scope.clone(), chunks: vec![chunk] })?;
            if let StoreReply::Applied(applied) = reply {
                outcomes.extend(applied);
            }
        }
        Ok(StoreReply::Applied(outcomes))
    }

    fn extract(&mut self, store: &mut MemoryStore, request: StoreRequest) -> Done {
        let scope = request.scope().clone();
        if self.how == Mutant::LosesRows && self.now_and_then(6) {
            let row = store
                .rows(&scope)
                .into_iter()
                .find_map(|(table, rows)| rows.into_iter().next().map(|(id, _)| (table, id)));
            if let Some((table, id)) = row {
                store.write(&scope, 0, |store| store.delete(&table, &id));
            }
        }
        let mut reply = store.run(request)?;
        let StoreReply::Extracted(extracted) = &mut reply else { return Ok(reply) };
        if self.how == Mutant::SkipsFolds && self.now_and_then(5) {
            extracted.changeset = Changeset::default();
        }
        for row in extracted.changeset.tables.iter_mut().flat_map(|table| &mut table.rows) {
            match self.how {
                Mutant::StripsDeaths => row.life.died = None,
                Mutant::RestampsWhatIsOffered => {
                    row.cells.iter_mut().for_each(|cell| cell.version = later(cell.version));
                }
                Mutant::TearsValues => row.cells.iter_mut().for_each(|cell| tear(&mut cell.value)),
                _ => {}
            }
        }
        Ok(reply)
    }
}

impl Between for Broken {
    fn run(&mut self, store: &mut MemoryStore, request: StoreRequest) -> Done {
        match &request {
            StoreRequest::Apply { .. } => self.apply(store, request),
            StoreRequest::Extract { .. } => self.extract(store, request),
            _ => store.run(request),
        }
    }
}

fn each_row(chunks: &mut [Chunk], change: impl Fn(&mut RowChange)) {
    let tables = chunks.iter_mut().flat_map(|chunk| &mut chunk.changeset.tables);
    tables.flat_map(|table| &mut table.rows).for_each(change);
}

fn tear(value: &mut Value) {
    if let Value::Text(text) = value
        && text.len() > 8
    {
        text.truncate(8);
    }
}

fn later(version: Version) -> Version {
    Version { hlc: Hlc::from_ms(version.hlc.ms() + 1), ..version }
}

fn twin(row: &RowChange) -> Option<RowChange> {
    let RowId::Surrogate { site, counter } = row.id else { return None };
    Some(RowChange { id: RowId::Surrogate { site, counter: counter + (1 << 40) }, ..row.clone() })
}

fn echo(
    store: &mut MemoryStore,
    scope: &pocketsync_sim::pocketsync_core::id::Scope,
    rows: Vec<(String, RowId)>,
) {
    store.write(scope, 0, |store| {
        for (table, id) in rows {
            let Some(cells) = store.row(&table, &id) else { continue };
            let cells: Vec<(&str, Value)> =
                cells.iter().map(|(column, value)| (column.as_str(), value.clone())).collect();
            let empty: Vec<(&str, Value)> = cells.iter().map(|(column, _)| (*column, Value::Null)).collect();
            store.update(&table, &id, &empty);
            store.update(&table, &id, &cells);
        }
    });
}
