---------------------------- MODULE Shardlift ----------------------------
(***************************************************************************)
(* How Shardlift moves a live table to a sharded destination: start        *)
(* position, chunks with their low positions, the stream of changes in     *)
(* windows of two phases, attempts that die or freeze and thaw, and the    *)
(* stop. README.md beside this file says what is abstracted and why.       *)
(*                                                                         *)
(* A table has a primary key (Ids), a shard key (Shards, one physical      *)
(* shard for each value) and a unique column (0 is NULL). Unique keys hold *)
(* on the whole source but only inside each shard of the destination. One  *)
(* chunk and one copy lane for each primary key: the finest cut there is.  *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
    Ids,        \* primary keys, positive integers
    Shards,     \* shard key values, positive integers
    Histories,  \* what the source may do: see Histories.tla
    During,     \* the stream is applied during the copy, behind the low gate
    Takeovers,  \* how often a new attempt takes a unit over
    Broken      \* the guard that is left out, "none" for the real thing

ASSUME 0 \notin Ids /\ 0 \notin Shards

VARIABLES
    hist,      \* the source's life: rows after each change, and where transactions end
    now,       \* end of the binlog
    vis,       \* what a SELECT sees: at most one transaction behind the binlog
    start,     \* start position, -1 before it is taken
    copyEnd,   \* end-of-copy position, -1 before it is taken
    stop,      \* stop position, -1 before it is read
    finished,  \* the task has ended in order
    plan,      \* per chunk: state and stored low position
    copier,    \* per chunk and attempt: what the attempt has in memory
    applier,   \* per attempt: what it has in memory
    cp,        \* the checkpoint
    fence,     \* per unit: the token in the fence rows
    adopted,   \* per unit: the token in plan and checkpoint, the attempts that may have begun
    left,      \* takeovers left
    dest,      \* rows on the destination: [id, s, u]
    foul,      \* somebody wrote who was not the owner
    alarm      \* strict mode counted wrongly although nobody else writes

vars == <<hist, now, vis, start, copyEnd, stop, finished, plan, copier, applier,
          cp, fence, adopted, left, dest, foul, alarm>>
sourceVars == <<hist, now, vis>>
doneVars == <<stop, finished>>
fenceVars == <<fence, adopted, left>>

Apply == 0                \* the unit of the applier; a chunk's unit is its number
Units == Ids \cup {Apply}
Attempts == 1..(Takeovers + 1)

None == [s |-> 0, u |-> 0]
Waiting == [st |-> "waiting", low |-> -1]
Dead == [pc |-> "dead", place |-> -1]
Ended == [pc |-> "dead", from |-> 0, to |-> 0, seen |-> -1, safe |-> 0, strict |-> FALSE, todo |-> {}]
Rows(i) == hist[i + 1].rows          \* the source after i changes
Last == Len(hist) - 1
Ends == {i \in 0..Last : hist[i + 1].end}
LastEnd(i) == CHOOSE e \in Ends : e <= i /\ \A f \in Ends : f <= i => f <= e
Min(S) == CHOOSE x \in S : \A y \in S : x <= y

-----------------------------------------------------------------------------
(* The destination. *)

Clash(a, b) == a.s = b.s /\ (a.id = b.id \/ (a.u # 0 /\ a.u = b.u))
Without(d, i) == {r \in d : ~(r.id = i[1] /\ r.s = i[2])}
Replace(d, row) == {r \in d : ~Clash(r, row)} \cup {row}
\* INSERT .. ON DUPLICATE KEY UPDATE: the row that clashes gets the new values
\* and keeps its primary key; a second clash is error 1062, again and again.
Upsert(d, row) ==
    IF \E r \in d : Clash(r, row)
    THEN LET r == CHOOSE r \in d : Clash(r, row)
             new == [r EXCEPT !.u = row.u]
         IN IF \E q \in d \ {r} : Clash(q, new) THEN d ELSE (d \ {r}) \cup {new}
    ELSE d \cup {row}

RowsOf(i) == {[id |-> k, s |-> Rows(i)[k].s, u |-> Rows(i)[k].u] : k \in {k \in Ids : Rows(i)[k] # None}}

-----------------------------------------------------------------------------
(* A window from one place to another, folded to net effects. An identity is *)
(* primary key plus shard key; an effect is <<"delete" or "write", identity>>. *)

Identities == Ids \X Shards
Image(i, n) == IF Rows(n)[i[1]].s = i[2] THEN Rows(n)[i[1]] ELSE None
Touched(from, to) == {i \in Identities : \E n \in from..(to - 1) : Image(i, n) # Image(i, n + 1)}

Deletes(from, to, strict) ==
    {i \in Touched(from, to) :
        LET before == Image(i, from)  after == Image(i, to) IN
        IF Broken = "IdentityIsKeyOnly" THEN Rows(to)[i[1]] = None
        ELSE IF ~strict \/ Broken = "LiteralFold" THEN after = None
        ELSE before # None /\ before # after}
Writes(from, to, strict) ==
    {i \in Touched(from, to) :
        /\ Image(i, to) # None
        /\ (strict /\ Broken # "LiteralFold") => Image(i, from) # Image(i, to)}
Effects(from, to, strict) ==
    {<<"delete", i>> : i \in Deletes(from, to, strict)} \cup {<<"write", i>> : i \in Writes(from, to, strict)}

-----------------------------------------------------------------------------
(* The source: a transaction is in the binlog first and seen a little later. *)

Commit ==
    /\ now < Last /\ vis = now /\ stop = -1
    /\ start # -1 \/ now = 0   \* a later start is a shorter life
    /\ now' = Min({e \in Ends : e > now})
    /\ UNCHANGED <<hist, vis, start, copyEnd, doneVars, plan, copier, applier, cp, fenceVars, dest, foul, alarm>>

BecomeVisible ==
    /\ vis < now
    /\ vis' = now
    /\ UNCHANGED <<hist, now, start, copyEnd, doneVars, plan, copier, applier, cp, fenceVars, dest, foul, alarm>>

\* Rule 1: the start position is not ahead of what a later SELECT sees.
TakeStart ==
    /\ start = -1
    /\ start' = IF Broken = "StartAhead" THEN now ELSE vis
    /\ cp' = start'
    /\ UNCHANGED <<sourceVars, copyEnd, doneVars, plan, copier, applier, fenceVars, dest, foul, alarm>>

-----------------------------------------------------------------------------
(* The fence. A write transaction reads the token first and holds its row until *)
(* the commit, and raising the token waits for all who hold it: check and write *)
(* are one step. Without the lock they are two ("checked" lies between). An     *)
(* attempt that never takes another step has crashed; one that goes on after a  *)
(* takeover was frozen.                                                         *)

MayWrite(unit, a) == fence[unit] = a \/ Broken = "NoFence"
Unlocked == Broken = "FenceWithoutLock"

Raise(unit) ==
    /\ start # -1 /\ ~finished /\ left > 0 /\ adopted[unit] = fence[unit]
    /\ IF unit = Apply THEN applier[fence[Apply]].pc # "new"
       ELSE plan[unit].st = "claimed"   \* elsewhere a new attempt changes nothing
    /\ fence' = [fence EXCEPT ![unit] = @ + 1]
    /\ left' = left - 1
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, copier, applier, cp, adopted, dest, foul, alarm>>

\* The new owner takes over plan and checkpoint: from now on the older one's
\* Save and Finish find nothing of theirs.
Adopt(unit) ==
    /\ adopted[unit] < fence[unit]
    /\ adopted' = [adopted EXCEPT ![unit] = fence[unit]]
    /\ plan' = IF unit = Apply THEN plan
               ELSE IF plan[unit].st = "claimed" THEN [plan EXCEPT ![unit] = Waiting] ELSE plan
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, copier, applier, cp, fence, left, dest, foul, alarm>>

-----------------------------------------------------------------------------
(* The copier, attempt a at chunk c. Rule 2: read the low position, claim the   *)
(* chunk with it, then read the rows; write them; mark the chunk done.          *)

SetCopier(c, a, m) == copier' = [copier EXCEPT ![c][a] = m]
At(c, a, pc) == adopted[c] >= a /\ copier[c][a].pc = pc

ReadLow(c, a) ==
    /\ During   \* nobody looks at it otherwise
    /\ start # -1 /\ plan[c].st = "waiting" /\ fence[c] = a /\ At(c, a, "idle")
    /\ SetCopier(c, a, [pc |-> "low", place |-> vis])
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, applier, cp, fenceVars, dest, foul, alarm>>

Claim(c, a) ==
    /\ start # -1 /\ plan[c].st = "waiting" /\ fence[c] = a /\ At(c, a, IF During THEN "low" ELSE "idle")
    /\ plan' = [plan EXCEPT ![c] = [st |-> "claimed", low |-> copier[c][a].place]]
    /\ SetCopier(c, a, [copier[c][a] EXCEPT !.pc = "claimed"])
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, applier, cp, fenceVars, dest, foul, alarm>>

Read(c, a) ==
    /\ At(c, a, "claimed")
    /\ SetCopier(c, a, [pc |-> "read", place |-> IF Broken = "ReadBeforeClaim" THEN copier[c][a].place ELSE vis])
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, applier, cp, fenceVars, dest, foul, alarm>>

CheckCopy(c, a) ==
    /\ Unlocked /\ At(c, a, "read")
    /\ SetCopier(c, a, IF MayWrite(c, a) THEN [copier[c][a] EXCEPT !.pc = "checked"] ELSE Dead)
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, applier, cp, fenceVars, dest, foul, alarm>>

\* An INSERT that meets a duplicate key is written again as REPLACE (rule 3).
WriteCopy(c, a) ==
    /\ At(c, a, IF Unlocked THEN "checked" ELSE "read")
    /\ IF Unlocked \/ MayWrite(c, a)
       THEN /\ LET row == Rows(copier[c][a].place)[c] IN
               dest' = IF row = None THEN dest ELSE Replace(dest, [id |-> c, s |-> row.s, u |-> row.u])
            /\ foul' = (foul \/ fence[c] # a)
            /\ SetCopier(c, a, [pc |-> "written", place |-> -1])
       ELSE dest' = dest /\ foul' = foul /\ SetCopier(c, a, Dead)
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, applier, cp, fenceVars, alarm>>

FinishChunk(c, a) ==
    /\ At(c, a, "written")
    /\ plan' = IF adopted[c] = a /\ plan[c].st = "claimed"
               THEN [plan EXCEPT ![c] = [st |-> "done", low |-> -1]] ELSE plan
    /\ SetCopier(c, a, Dead)
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, applier, cp, fenceVars, dest, foul, alarm>>

\* Taken after the last read; safe mode lasts until it has passed.
TakeCopyEnd ==
    /\ start # -1 /\ copyEnd = -1
    /\ Broken = "CopyEndEarly" \/ \A c \in Ids : plan[c].st = "done"
    /\ copyEnd' = now
    /\ UNCHANGED <<sourceVars, start, doneVars, plan, copier, applier, cp, fenceVars, dest, foul, alarm>>

-----------------------------------------------------------------------------
(* The applier, attempt a. *)

CopyDone == copyEnd # -1 /\ \A c \in Ids : plan[c].st = "done"

\* How far the stream may be applied beside the copy: to what a SELECT saw (a
\* chunk that is claimed later reads no less), read first, and no further than the
\* low positions of the chunks that are claimed then. A transaction counts as a
\* whole, though a window may end inside it.
Lows == {plan[c].low : c \in {c \in Ids : plan[c].st = "claimed"}}
FirstLimit ==
    IF Broken = "GateBeyondVisible" THEN now
    ELSE IF Broken = "GateReversed" THEN Min({now} \cup Lows)
    ELSE vis
Limit(a) ==
    IF CopyDone \/ ~During \/ Broken = "NoGate" THEN now
    ELSE IF Broken = "GateReversed" THEN Min({applier[a].seen, vis})
    ELSE Min({applier[a].seen} \cup Lows)
Within(to, limit) == IF Broken = "GateInsideTransaction" THEN LastEnd(to) <= limit ELSE to <= limit

SetApplier(a, m) == applier' = [applier EXCEPT ![a] = m]
On(a, pc) == adopted[Apply] >= a /\ applier[a].pc = pc

\* A run begins at the checkpoint; it is in safe mode until the source's
\* position at this moment has passed: an earlier attempt may have got that far.
Begin(a) ==
    /\ start # -1 /\ On(a, "new") /\ fence[Apply] = a
    /\ During \/ CopyDone \/ (Broken = "CopyEndEarly" /\ \A c \in Ids : plan[c].st = "done")
    /\ SetApplier(a, [applier[a] EXCEPT !.pc = "run", !.from = cp, !.safe = IF Broken = "StrictAfterRestart" THEN cp ELSE now])
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, copier, cp, fenceVars, dest, foul, alarm>>

\* Beside the copy a run looks at the source before it looks at the plan.
Look(a) ==
    /\ During /\ ~CopyDone /\ On(a, "run") /\ applier[a].seen = -1 /\ Broken # "NoGate"
    /\ SetApplier(a, [applier[a] EXCEPT !.seen = FirstLimit])
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, copier, cp, fenceVars, dest, foul, alarm>>

Strict(a) ==
    LET applied == LastEnd(applier[a].from) IN
    CopyDone /\ applied >= copyEnd /\ applied >= applier[a].safe

\* A window is cut anywhere, inside a transaction as well.
Cut(a) ==
    /\ On(a, "run") /\ ~finished
    /\ \E to \in (applier[a].from + 1)..now :
         /\ Within(to, Limit(a))
         /\ SetApplier(a, [applier[a] EXCEPT !.pc = "write", !.to = to, !.strict = Strict(a), !.seen = -1,
                           !.todo = Effects(applier[a].from, to, Strict(a))])
         /\ cp' = IF Broken = "CheckpointEarly" /\ adopted[Apply] = a /\ LastEnd(to) > cp THEN LastEnd(to) ELSE cp
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, copier, fenceVars, dest, foul, alarm>>

\* Phase 2 begins after the last commit of phase 1; within a phase any order.
Phase(todo) ==
    LET deletes == {e \in todo : e[1] = "delete"} IN
    IF deletes = {} \/ Broken = "OnePhase" THEN todo ELSE deletes

CheckApply(a) ==
    /\ Unlocked /\ On(a, "write") /\ applier[a].todo # {}
    /\ SetApplier(a, IF MayWrite(Apply, a) THEN [applier[a] EXCEPT !.pc = "checked"] ELSE Ended)
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, copier, cp, fenceVars, dest, foul, alarm>>

WriteApply(a) ==
    /\ On(a, IF Unlocked THEN "checked" ELSE "write")
    /\ \E e \in Phase(applier[a].todo) :
         LET i == e[2]
             row == [id |-> i[1], s |-> i[2], u |-> Image(i, applier[a].to).u]
             strict == applier[a].strict
         IN IF Unlocked \/ MayWrite(Apply, a)
            THEN /\ dest' = IF e[1] = "delete" THEN Without(dest, i)
                            ELSE IF ~strict /\ Broken = "UpsertInSafeMode" THEN Upsert(dest, row)
                            ELSE Replace(dest, row)
                 \* In strict mode a deletion must find its row and an insertion no other.
                 /\ alarm' = (alarm \/ (strict /\ IF e[1] = "delete" THEN Without(dest, i) = dest
                                                  ELSE \E r \in dest : Clash(r, row)))
                 /\ foul' = (foul \/ fence[Apply] # a)
                 /\ SetApplier(a, [applier[a] EXCEPT !.pc = "write", !.todo = @ \ {e}])
            ELSE UNCHANGED <<dest, alarm, foul>> /\ SetApplier(a, Ended)
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, copier, cp, fenceVars>>

\* The checkpoint moves after the second phase, and to a transaction's end only.
Save(a) ==
    /\ On(a, "write") /\ applier[a].todo = {}
    /\ IF adopted[Apply] = a
       THEN /\ cp' = IF LastEnd(applier[a].to) > cp THEN LastEnd(applier[a].to) ELSE cp
            /\ SetApplier(a, [applier[a] EXCEPT !.pc = "run", !.from = applier[a].to, !.strict = FALSE])
       ELSE cp' = cp /\ SetApplier(a, Ended)
    /\ UNCHANGED <<sourceVars, start, copyEnd, doneVars, plan, copier, fenceVars, dest, foul, alarm>>

-----------------------------------------------------------------------------
(* The stop: read once, after the last write; over when the checkpoint is there. *)

ReadStop ==
    /\ stop = -1 /\ CopyDone /\ now = Last
    /\ stop' = now
    /\ UNCHANGED <<sourceVars, start, copyEnd, finished, plan, copier, applier, cp, fenceVars, dest, foul, alarm>>

Finish ==
    /\ stop # -1 /\ ~finished
    /\ IF Broken = "StopByWhatWasRead" THEN applier[fence[Apply]].to >= stop \/ cp >= stop ELSE cp >= stop
    /\ finished' = TRUE
    /\ UNCHANGED <<sourceVars, start, copyEnd, stop, plan, copier, applier, cp, fenceVars, dest, foul, alarm>>

Over == finished /\ UNCHANGED vars

-----------------------------------------------------------------------------

Init ==
    /\ hist \in Histories
    /\ now = 0 /\ vis = 0
    /\ start = -1 /\ copyEnd = -1 /\ stop = -1 /\ finished = FALSE
    /\ plan = [c \in Ids |-> Waiting]
    /\ copier = [c \in Ids |-> [a \in Attempts |-> [pc |-> "idle", place |-> -1]]]
    /\ applier = [a \in Attempts |-> [Ended EXCEPT !.pc = "new"]]
    /\ cp = 0
    /\ fence = [unit \in Units |-> 1] /\ adopted = [unit \in Units |-> 1] /\ left = Takeovers
    /\ dest = {}
    /\ foul = FALSE /\ alarm = FALSE

Next ==
    \/ Commit \/ BecomeVisible \/ TakeStart \/ TakeCopyEnd \/ ReadStop \/ Finish \/ Over
    \/ \E unit \in Units : Raise(unit) \/ Adopt(unit)
    \/ \E c \in Ids, a \in Attempts :
         ReadLow(c, a) \/ Claim(c, a) \/ Read(c, a) \/ CheckCopy(c, a) \/ WriteCopy(c, a) \/ FinishChunk(c, a)
    \/ \E a \in Attempts : Begin(a) \/ Look(a) \/ Cut(a) \/ CheckApply(a) \/ WriteApply(a) \/ Save(a)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* What must hold. *)

NoLostRow == finished => RowsOf(stop) \subseteq dest
NoResurrectedRow == finished => dest \subseteq RowsOf(stop)
NoTwoOwners == ~foul
NoFalseAlarm == ~alarm

\* Wherever safe mode may end, the destination is the source as of the checkpoint.
ExactWhenStrict ==
    \A a \in Attempts :
        (fence[Apply] = a /\ adopted[Apply] = a /\ applier[a].pc = "run" /\ Strict(a) /\ applier[a].from \in Ends)
            => dest = RowsOf(applier[a].from)

\* The checkpoint never moves back, and never beyond what was written.
CheckpointMovesForward == [][start # -1 => cp' >= cp]_cp
=============================================================================
