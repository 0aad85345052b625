// Package destination speaks to the server that receives the data: a sharded
// middleware (Huawei DDM first) or a plain MySQL or MariaDB.
//
// It owns what the product is and can do, sessions whose variables are verified
// (rule 10), table definitions with their placement, reads of key ranges, the
// end of other connections, and sequences. It writes nothing by itself but
// scratch rows of ProbeEffects: statements come from package dialect, and who
// may run them is the matter of package checkpoint.
//
//   - Open finds out the kind (or takes the one given) and opens the pool.
//   - ProbeEffects finds out by effect, on a scratch table: what affected rows
//     count, which row lock and which kill form work.
//   - Session is one connection with at most one open transaction.
//   - Definitions, Placements and Shards describe tables; DDM's come from SHOW
//     FULL COLUMNS, SHOW KEYS, SHOW CREATE TABLE and SHOW RULE.
//
// Callers own the Destination and every Session and close them. Texts sent to
// a destination hold no comments except hints, one statement each, and no
// placeholders. Start reading at destination.go, then session.go.
package destination
