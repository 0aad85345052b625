package demo

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"

	"golang.org/x/sync/errgroup"
)

// sourceSchema and destinationSchema are what the sample is called; DDM allows
// lower case only, so it is renamed on the way.
const (
	sourceSchema      = "Shop"
	destinationSchema = "shop_ddm"
)

// shopTable is one table of the sample: its columns, and what DDM adds.
type shopTable struct {
	name    string
	columns string
	ddm     string
	rows    int
}

// shopTables have 500,000 rows in all.
func shopTables() []shopTable {
	return []shopTable{
		{"countries", `code CHAR(2) NOT NULL, name VARCHAR(60) NOT NULL, vat DECIMAL(5,2) NOT NULL, PRIMARY KEY (code)`, "BROADCAST", 200},
		{"settings", `id INT NOT NULL AUTO_INCREMENT, name VARCHAR(60) NOT NULL, body JSON, PRIMARY KEY (id), UNIQUE KEY name (name)`, "", 100},
		{"customers", `id BIGINT NOT NULL AUTO_INCREMENT, email VARCHAR(120) NOT NULL, name VARCHAR(80) NOT NULL, country CHAR(2) NOT NULL,
			balance DECIMAL(14,2) NOT NULL, born DATE, profile JSON, photo VARBINARY(64), created DATETIME(3) NOT NULL, seen TIMESTAMP(6) NULL,
			PRIMARY KEY (id), UNIQUE KEY email (email)`, "DBPARTITION BY MOD_HASH(id)", 100_000},
		{"products", `id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, sku VARCHAR(24) NOT NULL, title VARCHAR(120) NOT NULL, price DECIMAL(10,2) NOT NULL,
			weight DOUBLE, flags BIT(8), description TEXT, opens TIME, PRIMARY KEY (id), UNIQUE KEY sku (sku)`, "DBPARTITION BY MOD_HASH(id)", 19_700},
		{
			"orders", `id BIGINT NOT NULL AUTO_INCREMENT, customer_id BIGINT NOT NULL, number INT NOT NULL, state ENUM('new','paid','sent','returned') NOT NULL,
			total DECIMAL(14,2) NOT NULL, placed DATETIME(6) NOT NULL, note VARCHAR(200), PRIMARY KEY (id), UNIQUE KEY number (customer_id, number)`,
			"DBPARTITION BY MOD_HASH(customer_id)", 150_000,
		},
		{"order_items", `order_id BIGINT NOT NULL, line INT NOT NULL, product_id BIGINT UNSIGNED NOT NULL, quantity INT NOT NULL, price DECIMAL(10,2) NOT NULL,
			year YEAR NOT NULL, PRIMARY KEY (order_id, line)`, "DBPARTITION BY MOD_HASH(order_id)", 230_000},
	}
}

const shopCharset = " DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci "

// makeShop creates and fills the source, and creates the empty tables on the destination.
func makeShop(ctx context.Context, source, destination *sql.DB) (rows int, err error) {
	if _, err := source.ExecContext(ctx, "CREATE DATABASE "+sourceSchema); err != nil {
		return 0, fmt.Errorf("create the shop: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(3)
	for _, t := range shopTables() {
		rows += t.rows
		if _, err := source.ExecContext(ctx, "CREATE TABLE "+sourceSchema+"."+t.name+" ("+t.columns+") ENGINE=InnoDB"+shopCharset); err != nil {
			return 0, fmt.Errorf("create %s: %w", t.name, err)
		}
		if _, err := destination.ExecContext(ctx, "CREATE TABLE "+t.name+" ("+t.columns+") ENGINE=InnoDB"+shopCharset+t.ddm); err != nil {
			return 0, fmt.Errorf("create %s on the destination: %w", t.name, err)
		}
		g.Go(func() error { return fill(gctx, source, t) })
	}
	return rows, g.Wait()
}

// fill inserts a table's rows, a thousand a statement.
func fill(ctx context.Context, db *sql.DB, t shopTable) error {
	const batch = 1000
	rng := rand.New(rand.NewPCG(1, uint64(len(t.name))))
	for first := 1; first <= t.rows; first += batch {
		var b strings.Builder
		b.WriteString("INSERT INTO " + sourceSchema + "." + t.name + " VALUES ")
		for id := first; id < first+batch && id <= t.rows; id++ {
			if id > first {
				b.WriteByte(',')
			}
			b.WriteString(shopRow(t.name, id, rng))
		}
		if _, err := db.ExecContext(ctx, b.String()); err != nil {
			return fmt.Errorf("fill %s: %w", t.name, err)
		}
	}
	return nil
}

// shopRow is one row as SQL text.
func shopRow(table string, id int, rng *rand.Rand) string {
	switch table {
	case "countries":
		return fmt.Sprintf("('%c%c','Country %d ünï',%d.%02d)", 'A'+(id-1)/26, 'A'+(id-1)%26, id, id%25, id%100)
	case "settings":
		return fmt.Sprintf(`(%d,'setting %d','{"on":true,"value":%d}')`, id, id, id)
	case "customers":
		return fmt.Sprintf(`(%d,'customer%d@example.org','Zoë Nº %d','AB',%d.%02d,'%d-%02d-%02d','{"tags":["a","b"],"score":%d.5}',x'%016x00ff','2024-01-%02d 10:20:30.%03d','2024-06-01 00:00:00.%06d')`,
			id, id, id, rng.IntN(10000), rng.IntN(100), 1940+id%70, 1+id%12, 1+id%28, id, rng.Uint64(), 1+id%28, id%1000, id%1_000_000)
	case "products":
		return fmt.Sprintf("(%d,'SKU-%06d','Product %d — 製品',%d.%02d,%d.25e-3,b'%08b','%s','%02d:%02d:00')",
			id, id, id, 1+rng.IntN(900), rng.IntN(100), rng.IntN(5000), id%256, strings.Repeat("long text ", 1+id%8), id%24, id%60)
	case "orders":
		customer := 1 + (id*7919)%100_000
		return fmt.Sprintf("(%d,%d,%d,%d,%d.%02d,'2025-%02d-%02d 08:00:00.%06d',NULL)", id, customer, id, 1+id%4, rng.IntN(5000), rng.IntN(100), 1+id%12, 1+id%28, id%1_000_000)
	default: // order_items: the first 80,000 orders have two lines
		order, line := id, 1
		if id > 150_000 {
			order, line = id-150_000, 2
		}
		return fmt.Sprintf("(%d,%d,%d,%d,%d.%02d,%d)", order, line, 1+rng.IntN(19_700), 1+rng.IntN(5), rng.IntN(900), rng.IntN(100), 2000+id%30)
	}
}
