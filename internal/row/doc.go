// Package row holds rows as bytes plus a column type, so that no value ever
// passes through time.Time, a float's text or a character set conversion.
//
// A Value is nil for NULL, else the canonical bytes of its column's type:
//
//	TypeInt                    decimal text, "-5", "4000000000"; no leading zeros
//	TypeDecimal                the server's text: every digit of the scale, "-1.50"
//	TypeFloat, TypeDouble      4 or 8 bytes, IEEE 754, big endian (−0.0 stays −0.0)
//	TypeBit                    (Bits+7)/8 bytes, big endian
//	TypeYear                   four digits, "0000", "2024"
//	TypeDate                   "2024-02-29", "0000-00-00"
//	TypeTime                   "[-]hh:mm:ss[.ffffff]", at least two digits of hours, exactly Fraction digits
//	TypeDateTime, TypeTimestamp "YYYY-MM-DD hh:mm:ss[.ffffff]", exactly Fraction digits; TIMESTAMP in UTC
//	TypeText                   the stored bytes in the column's character set, CHAR without trailing spaces
//	TypeFixedBinary            the stored bytes, padded with 0x00 to the length
//	TypeBinary, TypeGeometry, TypeVector  the stored bytes
//	TypeEnum                   decimal ordinal, "0" for the error value
//	TypeSet                    decimal bit mask
//	TypeJSON                   MySQL's own text of the document, utf8mb4; MySQL 5.7 prints
//	                           whole doubles without ".0", so a SELECT there cannot tell them
//	                           from integers, while the binlog can
//
// source and binlog produce these bytes, dialect turns them into literals,
// compare hashes them; two values are the same value if and only if their
// canonical bytes are equal.
package row
