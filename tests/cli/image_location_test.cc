#include "cli/archive/image_location.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using Kind = ImageLocation::Kind;

void ExpectAt(const std::string& text, Kind kind, const std::string& place, const std::string& name = "") {
  const ImageLocation location = ImageLocation::Parse(text);
  EXPECT_EQ(location.kind, kind) << text;
  EXPECT_EQ(location.place, place) << text;
  EXPECT_EQ(location.name, name) << text;
}

TEST(ImageLocationTest, AReferenceIsAtItsRegistryUnlessItSaysOtherwise) {
  ExpectAt("debian:12", Kind::kRegistry, "debian:12");
  ExpectAt("docker://127.0.0.1:5000/a/b@sha256:ab", Kind::kRegistry, "127.0.0.1:5000/a/b@sha256:ab");
  ExpectAt("varve:debian:12", Kind::kStore, "debian:12");
}

TEST(ImageLocationTest, OfWhatIsNotThereYetTheFirstColonDivides) {
  ExpectAt("oci:nowhere/layout:1:2", Kind::kLayout, "nowhere/layout", "1:2");
  ExpectAt("oci-archive:nowhere.tar", Kind::kOciArchive, "nowhere.tar");
  ExpectAt("docker-archive:nowhere.tar:127.0.0.1:5000/a:1", Kind::kDockerArchive, "nowhere.tar", "127.0.0.1:5000/a:1");
  ExpectAt("oci:", Kind::kLayout, "");
}

TEST(ImageLocationTest, AFileMayHaveColonsInItsName) {
  const TempDir directory;
  const std::string path = directory / "a:b";
  std::filesystem::create_directories(path);
  ExpectAt("oci:" + path, Kind::kLayout, path);
  ExpectAt("oci:" + path + ":1", Kind::kLayout, path, "1");
}

}  // namespace
}  // namespace varve
