package sqlite

// chunkOf is the chunk that a place in the order of users belongs to.
func chunkOf(x *tx, at int64, id string) (chunk int64, err error) {
	_, err = x.row(&chunk, `SELECT n FROM user_chunks WHERE (at, id) <= (?, ?) ORDER BY at DESC, id DESC LIMIT 1`, at, id)
	return chunk, err
}

// joinChunk counts one more user in the chunk of a place, cutting it first if it is full, and returns the chunk.
func joinChunk(x *tx, at int64, id string) (int64, error) {
	chunk, err := chunkOf(x, at, id)
	if err != nil {
		return 0, err
	}
	var users int64
	if _, err := x.row(&users, `SELECT users FROM user_chunks WHERE n = ?`, chunk); err != nil {
		return 0, err
	}
	if users >= chunkUsers {
		if chunk, err = cutChunk(x, chunk, at, id); err != nil {
			return 0, err
		}
	}
	_, err = x.exec(`UPDATE user_chunks SET users = users + 1 WHERE n = ?`, chunk)
	return chunk, err
}

// cutChunk makes room for a user at a place and returns the chunk that it belongs to then. Who comes after all others begins a chunk: users mostly
// arrive in their order, and then nothing is ever moved. Else the second half of the chunk becomes one of its own.
func cutChunk(x *tx, chunk, at int64, id string) (int64, error) {
	var later int64
	_, err := x.row(&later, `SELECT EXISTS (SELECT 1 FROM user_lists WHERE list = ? AND (created_at, id) > (?, ?))`, listName(anyState, ""), at, id)
	if err != nil {
		return 0, err
	}
	if later == 0 {
		return newChunk(x, at, id, 0)
	}
	const middle = chunkUsers / 2
	var midAt int64
	var midID string
	const half = `FROM (SELECT DISTINCT created_at, id FROM user_terms WHERE chunk = ? ORDER BY created_at, id LIMIT 1 OFFSET ?)`
	if _, err := x.row(&midAt, `SELECT created_at `+half, chunk, middle); err != nil {
		return 0, err
	}
	if _, err := x.row(&midID, `SELECT id `+half, chunk, middle); err != nil {
		return 0, err
	}
	next, err := newChunk(x, midAt, midID, 0)
	if err != nil {
		return 0, err
	}
	if err := moveTerms(x, chunk, next, midAt, midID); err != nil {
		return 0, err
	}
	return chunkOf(x, at, id)
}

// moveTerms gives a new chunk the users of another one from a place on.
func moveTerms(x *tx, from, to, at int64, id string) error {
	const upper = ` FROM user_terms WHERE chunk = ? AND (created_at, id) >= (?, ?)`
	if _, err := x.exec(`INSERT INTO user_terms (chunk, term, created_at, id) SELECT ?, term, created_at, id`+upper, to, from, at, id); err != nil {
		return err
	}
	if _, err := x.exec(`DELETE`+upper, from, at, id); err != nil {
		return err
	}
	for _, chunk := range []int64{from, to} {
		_, err := x.exec(`UPDATE user_chunks SET users = (SELECT count(DISTINCT id) FROM user_terms WHERE chunk = n) WHERE n = ?`, chunk)
		if err != nil {
			return err
		}
	}
	return nil
}

func newChunk(x *tx, at int64, id string, users int64) (chunk int64, err error) {
	_, err = x.row(&chunk, `INSERT INTO user_chunks (at, id, users) VALUES (?, ?, ?) RETURNING n`, at, id, users)
	return chunk, err
}
