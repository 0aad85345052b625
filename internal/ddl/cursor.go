package ddl

import (
	"slices"

	"shardlift/internal/table"
)

// cursor walks over the tokens of one reading of a statement.
type cursor struct {
	tokens []token
	at     int
	schema string
	mode   Mode
}

func (c *cursor) peek() token { return c.tokens[min(c.at, len(c.tokens)-1)] }

func (c *cursor) peekAt(n int) token { return c.tokens[min(c.at+n, len(c.tokens)-1)] }

func (c *cursor) next() token {
	t := c.peek()
	c.at++
	return t
}

// accept takes the keywords or symbols if they all come next.
func (c *cursor) accept(words ...string) bool {
	for i, w := range words {
		if !c.peekAt(i).is(w) {
			return false
		}
	}
	c.at += len(words)
	return true
}

// acceptAny takes the next token if it is one of the keywords.
func (c *cursor) acceptAny(words ...string) bool {
	if slices.ContainsFunc(words, c.peek().is) {
		c.at++
		return true
	}
	return false
}

// done says whether nothing but a semicolon is left.
func (c *cursor) done() bool {
	for c.accept(";") {
	}
	return c.peek().kind == end
}

// name reads a table's name: one name, or schema and table around a dot.
func (c *cursor) name() (table.Name, bool) {
	first := c.peek()
	if !first.isName() {
		return table.Name{}, false
	}
	c.at++
	if !c.peek().is(".") {
		return table.Name{Schema: c.schema, Table: first.value}, true
	}
	if second := c.peekAt(1); second.isName() || second.kind == number {
		c.at += 2
		return table.Name{Schema: first.value, Table: second.value}, true
	}
	return table.Name{}, false
}

// names reads a list of names separated by commas.
func (c *cursor) names() ([]table.Name, bool) {
	var out []table.Name
	for {
		n, ok := c.name()
		if !ok {
			return nil, false
		}
		out = append(out, n)
		if !c.accept(",") {
			return out, true
		}
	}
}

// clause passes one comma-separated part at depth 0 and returns its tokens.
func (c *cursor) clause() []token {
	start, depth := c.at, 0
	for ; c.peek().kind != end; c.at++ {
		switch t := c.peek(); {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && (t.is(",") || t.is(";")):
			return c.tokens[start:c.at]
		}
	}
	return c.tokens[start:min(c.at, len(c.tokens)-1)]
}

// candidates are all names that the tokens could mean.
func (c *cursor) candidates() []table.Name {
	seen := map[table.Name]bool{}
	var out []table.Name
	add := func(n table.Name) {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	for i, t := range c.tokens {
		if !t.isName() {
			continue
		}
		add(table.Name{Schema: c.schema, Table: t.value})
		if i+2 < len(c.tokens) && c.tokens[i+1].is(".") && (c.tokens[i+2].isName() || c.tokens[i+2].kind == number) {
			add(table.Name{Schema: t.value, Table: c.tokens[i+2].value})
		}
	}
	return out
}
