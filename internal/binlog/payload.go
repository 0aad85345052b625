package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"

	"shardlift/internal/fault"
)

// Fields of a transaction payload event (MySQL: codecs/binary.h).
const (
	payloadEnd              = 0
	payloadCompression      = 2
	payloadUncompressedSize = 3

	compressionZSTD = 0
	compressionNone = 255
)

// maxWindow is the largest window that zstd's levels use.
const maxWindow = 128 << 20

// payload is a compressed transaction that is being unpacked: event by event,
// so that memory holds the compressed bytes, zstd's window and one event.
type payload struct {
	data   io.Reader
	zstd   *zstd.Decoder
	left   uint64 // uncompressed bytes that may still come
	parser *replication.BinlogParser
}

func (p *payload) close() {
	if p != nil && p.zstd != nil {
		p.zstd.Close()
	}
}

// openPayload starts to unpack a compressed transaction.
func (s *Stream) openPayload(body []byte) error {
	if s.payload != nil {
		return s.malformed(errShape)
	}
	r := reader{data: body}
	compression, size := uint64(compressionNone), uint64(0)
	for r.err == nil {
		field := r.packed()
		if field == payloadEnd {
			break
		}
		value := reader{data: r.take(int(r.packed()))}
		switch field {
		case payloadCompression:
			compression = value.packed()
		case payloadUncompressedSize:
			size = value.packed()
		}
	}
	if r.err != nil {
		return s.malformed(r.err)
	}
	p := &payload{left: size, data: bytes.NewReader(r.data)}
	switch compression {
	case compressionNone:
		p.left = uint64(len(r.data))
	case compressionZSTD:
		decoder, err := zstd.NewReader(p.data, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return s.malformed(errShape)
		}
		p.zstd, p.data = decoder, decoder
	default:
		return fault.UnknownEvent.New(object, "a transaction is compressed by method %d at %s", compression, s.where())
	}
	p.parser = s.newParser()
	if _, err := p.parser.Parse(withoutChecksum(s.format)); err != nil {
		p.close()
		return s.malformed(errShape)
	}
	s.payload = p
	return nil
}

// withoutChecksum is the format event of events that have none.
func withoutChecksum(format []byte) []byte {
	out := slices.Clone(format)
	if len(out) > 5 {
		out[len(out)-5] = byte(replication.BINLOG_CHECKSUM_ALG_OFF)
	}
	return out
}

// stepPayload handles the next event of the payload.
func (s *Stream) stepPayload() error {
	raw, err := s.payload.next()
	switch {
	case errors.Is(err, io.EOF):
		s.payload.close()
		s.payload = nil
		if !s.tx.open {
			s.done.place = s.place
		}
		return nil
	case err != nil:
		return s.malformed(err)
	}
	h := &replication.EventHeader{}
	if err := h.Decode(raw); err != nil {
		return s.malformed(errShape)
	}
	return s.handle(h, raw, s.payload.parser)
}

// next reads one event, io.EOF after the last one.
func (p *payload) next() ([]byte, error) {
	head := make([]byte, replication.EventHeaderSize)
	if _, err := io.ReadFull(p.data, head); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, errShort
	}
	size := uint64(binary.LittleEndian.Uint32(head[9:]))
	if size < replication.EventHeaderSize || size > p.left || size > maxEvent {
		return nil, errShape
	}
	p.left -= size
	raw := make([]byte, size)
	copy(raw, head)
	if _, err := io.ReadFull(p.data, raw[replication.EventHeaderSize:]); err != nil {
		return nil, errShort
	}
	return raw, nil
}
