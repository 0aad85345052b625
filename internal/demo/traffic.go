package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// traffic writes to the source like a busy shop: about 300 transactions a
// second, some of which change primary, unique and sharding keys.
type traffic struct {
	db     *sql.DB
	done   atomic.Int64
	failed atomic.Int64
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

const (
	trafficWriters = 3
	trafficPause   = time.Second * trafficWriters / 300
)

func startTraffic(ctx context.Context, db *sql.DB) *traffic {
	ctx, cancel := context.WithCancel(ctx)
	t := &traffic{db: db, stop: cancel}
	for writer := range trafficWriters {
		t.wg.Go(func() { t.write(ctx, rand.New(rand.NewPCG(7, uint64(writer)))) })
	}
	return t
}

// end stops the writers; every transaction has ended when it returns.
func (t *traffic) end() {
	t.stop()
	t.wg.Wait()
}

func (t *traffic) write(ctx context.Context, rng *rand.Rand) {
	ticker := time.NewTicker(trafficPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// A transaction that was begun is ended whatever happens.
		if err := t.transaction(context.WithoutCancel(ctx), rng); err != nil {
			t.failed.Add(1) // deadlocks and duplicate keys of its own making
			continue
		}
		t.done.Add(1)
	}
}

func (t *traffic) transaction(ctx context.Context, rng *rand.Rand) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, statement := range work(rng) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return errors.Join(fmt.Errorf("shop write: %w", err), tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// work is one business transaction.
func work(rng *rand.Rand) []string {
	customer, other := 1+rng.IntN(100_000), 1+rng.IntN(100_000)
	order, product := 1+rng.IntN(150_000), 1+rng.IntN(19_700)
	switch p := rng.IntN(100); {
	case p < 30: // a new order; the shop's numbers are unique for a customer
		return []string{
			fmt.Sprintf("INSERT INTO orders (customer_id, number, state, total, placed) VALUES (%d, %d, 'new', %d.50, NOW(6))", customer, 1_000_000+rng.IntN(1_000_000_000), rng.IntN(900)),
			fmt.Sprintf("INSERT INTO order_items SELECT LAST_INSERT_ID(), 1, %d, 2, 9.90, 2026", product),
			fmt.Sprintf("UPDATE customers SET balance = balance + 9.90, seen = NOW(6) WHERE id = %d", customer),
		}
	case p < 60:
		return []string{fmt.Sprintf("UPDATE customers SET balance = balance - 1.25, profile = JSON_SET(profile, '$.score', %d) WHERE id = %d", rng.IntN(1000), customer)}
	case p < 70:
		return []string{fmt.Sprintf("UPDATE products SET price = price + 0.01, flags = flags ^ b'1' WHERE id = %d", product)}
	case p < 76: // a new customer
		return []string{fmt.Sprintf("INSERT INTO customers (email, name, country, balance, created) VALUES ('new%d@example.org', 'New', 'AC', 0, NOW(3))", rng.Uint64())}
	case p < 82: // an order moves to another customer: the sharding key changes
		return []string{fmt.Sprintf("UPDATE orders SET customer_id = %d, state = 'paid' WHERE id = %d", other, order)}
	case p < 86: // two customers swap their e-mail addresses: a unique key moves both ways
		return []string{
			fmt.Sprintf("SELECT email INTO @a FROM customers WHERE id = %d FOR UPDATE", customer),
			fmt.Sprintf("SELECT email INTO @b FROM customers WHERE id = %d FOR UPDATE", other),
			fmt.Sprintf("UPDATE customers SET email = CONCAT('swap-', id) WHERE id = %d", customer),
			fmt.Sprintf("UPDATE customers SET email = @a WHERE id = %d", other),
			fmt.Sprintf("UPDATE customers SET email = @b WHERE id = %d", customer),
		}
	case p < 89: // lines change their number: the primary key changes
		return []string{fmt.Sprintf("UPDATE order_items SET line = line + 10 WHERE order_id = %d ORDER BY line DESC", order)}
	case p < 95:
		return []string{fmt.Sprintf("DELETE FROM order_items WHERE order_id = %d", order), fmt.Sprintf("DELETE FROM orders WHERE id = %d", order)}
	case p < 98:
		return []string{fmt.Sprintf("UPDATE settings SET body = JSON_SET(body, '$.value', %d) WHERE id = %d", rng.IntN(1000), 1+rng.IntN(100))}
	default:
		return []string{fmt.Sprintf("UPDATE countries SET vat = %d.5 WHERE code = '%c%c'", rng.IntN(25), 'A'+rng.IntN(7), 'A'+rng.IntN(26))}
	}
}
