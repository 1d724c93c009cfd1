#include "cached/store/lease_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "cached/content/sha256.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Digest kOne = Sha256Of(AsBytes("one"));
const Digest kTwo = Sha256Of(AsBytes("two"));

TEST(LeaseTableTest, WhatASessionHoldsIsNeverCondemned) {
  LeaseTable leases;
  LeaseTable::Session session(leases);
  EXPECT_TRUE(session.Touch(kOne));
  EXPECT_THAT(leases.BeginCollection(), ElementsAre(LeaseTable::Prefix(kOne)));
  EXPECT_THAT(leases.Condemn(std::vector{kOne, kTwo}), ElementsAre(kTwo));
}

TEST(LeaseTableTest, ALeaseThatEndsDuringACollectionHoldsUntilItsEnd) {
  LeaseTable leases;
  {
    LeaseTable::Session session(leases);
    EXPECT_TRUE(session.Touch(kOne));
    leases.BeginCollection();
  }
  EXPECT_THAT(leases.Condemn(std::vector{kOne}), IsEmpty());
  leases.EndCollection();
  EXPECT_THAT(leases.BeginCollection(), IsEmpty());
  EXPECT_THAT(leases.Condemn(std::vector{kOne}), ElementsAre(kOne));
}

TEST(LeaseTableTest, WhatIsTouchedDuringACollectionIsKept) {
  LeaseTable leases;
  leases.BeginCollection();
  {
    LeaseTable::Session session(leases);
    EXPECT_TRUE(session.Touch(kOne));
  }
  EXPECT_THAT(leases.Condemn(std::vector{kOne}), IsEmpty());
}

TEST(LeaseTableTest, ACondemnedDigestIsAMissUntilTheCollectionEnds) {
  LeaseTable leases;
  LeaseTable::Session session(leases);
  leases.BeginCollection();
  leases.Condemn(std::vector{kOne});
  EXPECT_FALSE(session.Touch(kOne));
  leases.EndCollection();
  EXPECT_TRUE(session.Touch(kOne));
}

// Its finder writes it anew; a second collection may begin before anything refers to what was written.
TEST(LeaseTableTest, ACondemnedDigestThatIsTouchedIsHeldAgainstTheNextCollection) {
  LeaseTable leases;
  LeaseTable::Session session(leases);
  leases.BeginCollection();
  leases.Condemn(std::vector{kOne});
  EXPECT_FALSE(session.Touch(kOne));
  EXPECT_THAT(leases.Condemn(std::vector{kOne}), IsEmpty());
  leases.EndCollection();
  EXPECT_THAT(leases.BeginCollection(), ElementsAre(LeaseTable::Prefix(kOne)));
  EXPECT_THAT(leases.Condemn(std::vector{kOne}), IsEmpty());
}

TEST(LeaseTableTest, WhoAwaitsWhatIsCondemnedWaitsUntilItIsReleased) {
  LeaseTable leases;
  leases.BeginCollection();
  ASSERT_THAT(leases.Condemn(std::vector{kOne}), ElementsAre(kOne));
  std::atomic<bool> released = false;
  std::thread waiter([&] {
    LeaseTable::Session session(leases);
    EXPECT_TRUE(session.Await(kOne));
    EXPECT_TRUE(released);
    EXPECT_TRUE(session.Touch(kOne));
  });
  released = true;
  leases.Release(std::vector{kOne});
  waiter.join();
  EXPECT_THAT(leases.Condemn(std::vector{kOne}), IsEmpty());  // it came back while the collection ran
  leases.EndCollection();
}

TEST(LeaseTableTest, WhoAwaitsWhatACollectionLeftCondemnedWaitsForItsEnd) {
  LeaseTable leases;
  leases.BeginCollection();
  leases.Condemn(std::vector{kOne});
  std::thread waiter([&] {
    LeaseTable::Session session(leases);
    EXPECT_TRUE(session.Await(kOne));
  });
  leases.EndCollection();
  waiter.join();
}

TEST(LeaseTableTest, WhatIsDamagedIsAMissUntilSomebodyHasWrittenItAnew) {
  LeaseTable table;
  const Digest chunk{};
  LeaseTable::Session before(table);
  EXPECT_TRUE(before.Touch(chunk));
  table.AddDamaged(std::span(&chunk, 1));
  before.SetSound();  // it was found before anybody knew, and not written
  LeaseTable::Session writer(table);
  EXPECT_FALSE(writer.Touch(chunk));
  writer.SetSound();
  EXPECT_TRUE(writer.Touch(chunk));
}

}  // namespace
}  // namespace varve
