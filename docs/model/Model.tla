------------------------------ MODULE Model ------------------------------
(***************************************************************************)
(* The specification at the bounds that TLC checks: two primary keys, two  *)
(* shards, two unique values and NULL.                                     *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS During, Takeovers, Broken,
          Lives  \* numbers of the lives in Histories.tla, or 0: every life of two changes

Ids == {1, 2}
Shards == {1, 2}
Values == {1, 2}

H == INSTANCE Histories
Histories == IF 0 \in Lives THEN H!Every(2) ELSE {H!Nasty[i] : i \in Lives}

VARIABLES hist, now, vis, start, copyEnd, stop, finished, plan, copier, applier,
          cp, fence, adopted, left, dest, foul, alarm

INSTANCE Shardlift
=============================================================================
