package store

import (
	"encoding/binary"
	"hash/crc32"

	"edgeward"
)

// MaxRecord is the largest data of one record in bytes, unless its collection says otherwise (Collection.Max). More belongs into a blob.
const MaxRecord = 1 << 20

const envelope = 2 + 4 // schema and CRC

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal returns the value stored under key: schema, data and a CRC that also covers where it is stored.
func seal(bucket string, key []byte, schema uint16, data []byte) []byte {
	v := make([]byte, 0, len(data)+envelope)
	v = binary.BigEndian.AppendUint16(v, schema)
	v = append(v, data...)
	return binary.BigEndian.AppendUint32(v, sum(bucket, key, v))
}

// unseal is the inverse of seal. The data shares memory with value. ok is false when a bit is not as it was written.
func unseal(bucket string, key, value []byte) (schema uint16, data []byte, ok bool) {
	if len(value) < envelope {
		return 0, nil, false
	}
	body := value[:len(value)-4]
	if binary.BigEndian.Uint32(value[len(value)-4:]) != sum(bucket, key, body) {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(body), body[2:], true
}

func sum(bucket string, key, body []byte) uint32 {
	c := crc32.Update(0, castagnoli, []byte(bucket))
	c = crc32.Update(c, castagnoli, []byte{0})
	c = crc32.Update(c, castagnoli, key)
	c = crc32.Update(c, castagnoli, []byte{0})
	return crc32.Update(c, castagnoli, body)
}

func damaged(bucket string, key []byte) error {
	return edgeward.E("store.read", edgeward.Internal, "store.damaged", "record %q in %s is damaged", key, bucket).
		With("bucket", bucket).WithHint("stop the node, run \"edgeward doctor\", then restore the last backup")
}
