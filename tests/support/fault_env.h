#pragma once

#include <rocksdb/env.h>

#include <memory>

#include "cached/base/fs.h"

namespace varve {

// Lets RocksDB keep its files in `fs`, which must outlive what is returned: so one FaultFs carries packs, index files
// and the database of a store, and counts, fails and loses the operations of all of them. Not for more than one
// database at a time: locks are not taken.
std::unique_ptr<rocksdb::Env> MakeEnv(Fs& fs);

}  // namespace varve
