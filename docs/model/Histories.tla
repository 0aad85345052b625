---------------------------- MODULE Histories ----------------------------
(***************************************************************************)
(* What the source does in the model: a few short lives that hurt, or      *)
(* every life of a given length.                                           *)
(***************************************************************************)
EXTENDS Integers, Sequences

CONSTANTS Ids, Shards, Values

None == [s |-> 0, u |-> 0]
R(s, u) == [s |-> s, u |-> u]

\* A history from its states: one transaction per state, except those at the
\* places in `inside`, which are in the midst of one.
History(states, inside) == [i \in 1..Len(states) |-> [rows |-> states[i], end |-> i \notin inside]]

Empty == <<None, None>>
S(a, b) == <<a, b>>

Nasty == <<
    \* 1: rows are inserted, changed and deleted while the copy starts
    History(<<Empty, S(R(1,1), None), S(R(1,1), R(1,2)), S(None, R(1,2))>>, {}),
    \* 2: a row goes to another shard and comes back
    History(<<S(R(1,1), None), S(R(2,1), None), S(R(1,1), None)>>, {}),
    \* 3: deleted here, inserted again elsewhere; its unique value goes to the other row
    History(<<S(R(1,1), R(1,2)), S(None, R(1,2)), S(None, R(1,1)), S(R(2,2), R(1,1))>>, {}),
    \* 4: two rows swap their unique values in one transaction
    History(<<S(R(1,1), R(1,2)), S(R(1,0), R(1,2)), S(R(1,0), R(1,1)), S(R(1,2), R(1,1))>>, {2, 3}),
    \* 5: the primary key moves, and moves back to another shard
    History(<<S(R(1,1), None), S(None, R(1,1)), S(R(2,1), None)>>, {}),
    \* 6: a unique value wanders from row to row within a transaction, then one is deleted
    History(<<S(R(1,1), R(1,0)), S(R(1,0), R(1,0)), S(R(1,0), R(1,1)), S(R(1,2), None)>>, {2}),
    \* 7: one transaction of two changes
    History(<<S(R(1,1), None), S(R(1,2), None), S(R(1,2), R(2,1))>>, {2}),
    \* 8: one change: a row goes to another shard
    History(<<S(R(1,1), None), S(R(2,1), None)>>, {}),
    \* 9: one change: a unique value
    History(<<S(R(1,1), None), S(R(1,2), None)>>, {})
>>

\* Every valid state: the unique column is unique on the whole source.
Row == {None} \cup {R(s, u) : s \in Shards, u \in Values \cup {0}}
States == {<<a, b>> : a \in Row, b \in Row}
Valid(st) == st[1].u = 0 \/ st[1].u # st[2].u
ValidStates == {st \in States : Valid(st)}

\* Every life of n changes of one row each, each a transaction.
RECURSIVE Lives(_)
Lives(n) ==
    IF n = 0 THEN {<<st>> : st \in ValidStates}
    ELSE UNION {{Append(l, st) : st \in {st \in ValidStates :
            \/ st[1] # l[n][1] /\ st[2] = l[n][2]
            \/ st[1] = l[n][1] /\ st[2] # l[n][2]}} : l \in Lives(n - 1)}
Every(n) == {History(l, {}) : l \in Lives(n)}
=============================================================================
