// Package schema knows the definitions of a task's tables as of the stream's
// place, and judges statements that change them.
//
// History starts with the definitions of the plan and is stored with the
// checkpoint; it is what binlog decodes rows with. Judge is rule 11: TRUNCATE is
// applied, changes of non-unique indexes and of comments pass, everything else
// that touches a selected table stops the task until an operator has made the
// same change on the destination and resumes past the statement.
package schema
