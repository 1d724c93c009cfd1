#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/listing/filters.h"
#include "cli/listing/rows.h"
#include "cli/listing/template.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

constexpr const char* kValue = R"({
  "Name": "/web", "Id": "0123456789abcdef", "Count": 3, "Part": 0.5, "Yes": true, "Null": null,
  "Args": ["-c", "sleep 1"], "None": [],
  "Config": {"Labels": {"com.example/b": "2", "a": "1"}, "Env": ["A=b", "C=d"], "Quote": "<a>&\"b\""},
  "Mounts": [{"Type": "bind", "RW": true}, {"Type": "tmpfs", "RW": false}],
  "Label": {"app": "shop"}})";

std::string Executed(std::string_view text) {
  const auto parsed = Template::Parse(text);
  if (!parsed.ok()) return "not a template: " + parsed.error().message();
  const auto shown = parsed->Execute(kValue);
  return shown.ok() ? *shown : "error: " + shown.error().message();
}

struct Case {
  const char* text;
  const char* shown;
};

class TemplateTest : public ::testing::TestWithParam<Case> {};

TEST_P(TemplateTest, ShowsWhatGoShows) { EXPECT_EQ(Executed(GetParam().text), GetParam().shown) << GetParam().text; }

INSTANTIATE_TEST_SUITE_P(
    Values, TemplateTest,
    ::testing::Values(Case{"plain {text}", "plain {text}"}, Case{"{{.Name}}:{{.Count}}", "/web:3"},
                      Case{"{{.Yes}} {{.Part}} {{.Null}}", "true 0.5 <nil>"}, Case{"{{.Args}}", "[-c sleep 1]"},
                      Case{"{{.Config.Labels}}", "map[a:1 com.example/b:2]"},
                      Case{"{{.Config.Nothing.AtAll}}", "<no value>"}, Case{"{{json .Config.Quote}}", R"("<a>&\"b\"")"},
                      Case{"{{json .Mounts}}", R"([{"Type":"bind","RW":true},{"Type":"tmpfs","RW":false}])"},
                      Case{"{{json .Config.Nothing}}", "null"},
                      Case{"{{`raw \\`}}{{\"a\\tb\"}}{{-1}}{{1.5}}", "raw \\a\tb-11.5"},
                      Case{"{{/* nothing */}}x{{- /* more */ -}}  y", "xy"}, Case{"a {{- .Count -}} b", "a3b"},
                      Case{"{{$.Name}}", "/web"}, Case{"{{.Label \"app\"}}|{{.Label \"no\"}}", "shop|"}));

INSTANTIATE_TEST_SUITE_P(
    Functions, TemplateTest,
    ::testing::Values(Case{"{{index .Config.Labels \"com.example/b\"}}", "2"},
                      Case{"{{index .Config.Labels \"no\"}}", ""}, Case{"{{(index .Mounts 1).Type}}", "tmpfs"},
                      Case{"{{len .Args}}{{len .None}}{{len .Name}}", "204"}, Case{"{{slice .Id 0 4}}", "0123"},
                      Case{"{{truncate .Id 3}}", "012"}, Case{"{{join .Args \",\"}}", "-c,sleep 1"},
                      Case{"{{join .None \",\"}}", ""}, Case{"{{json (split .Name \"/\")}}", R"(["","web"])"},
                      Case{"{{.Name | upper}}", "/WEB"}, Case{"{{title \"a word\"}} {{lower \"ABC\"}}", "A Word abc"},
                      Case{"[{{pad .Count 1 2}}]", "error: template: '3' is not a string"},
                      Case{"[{{pad \"x\" 1 2}}]", "[ x  ]"},
                      Case{"{{printf \"%-5s|%03d|%q|%v%%\" .Name .Count .Name .Args}}",
                           "/web |003|\"/web\"|[-c sleep 1]%"},
                      Case{"{{print 1 2 \"a\" 3}}{{println .Count}}", "1 2a33\n"},
                      Case{"{{eq .Count 1 3}}{{ne .Count 3}}{{lt 1 2}}{{ge \"b\" \"a\"}}", "truefalsetruetrue"},
                      Case{"{{and .Yes .None}}{{or .None .Name}}{{not .None}}", "[]/webtrue"},
                      Case{"{{or .Yes (index .None 7)}}", "true"}));

INSTANTIATE_TEST_SUITE_P(
    Control, TemplateTest,
    ::testing::Values(Case{"{{if .None}}a{{else if .Yes}}b{{else}}c{{end}}", "b"},
                      Case{"{{if .Config.Nothing}}a{{end}}", ""},
                      Case{"{{with .Config}}{{len .Env}}{{else}}none{{end}}", "2"},
                      Case{"{{range .Mounts}}{{.Type}}{{if .RW}} rw{{end}};{{end}}", "bind rw;tmpfs;"},
                      Case{"{{range $i, $e := .Args}}{{$i}}={{$e}} {{end}}", "0=-c 1=sleep 1 "},
                      Case{"{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}},{{end}}", "a:1,com.example/b:2,"},
                      Case{"{{range .None}}x{{else}}empty{{end}}", "empty"},
                      Case{"{{$n := 1}}{{range .Args}}{{$n = 5}}{{end}}{{$n}}", "5"},
                      Case{"{{if true}}{{$x := 1}}{{end}}{{$x}}", "error: template: undefined variable $x"}));

INSTANTIATE_TEST_SUITE_P(
    Mistakes, TemplateTest,
    ::testing::Values(Case{"{{.Nmae}}",
                           "error: template: there is no field .Nmae (known: Args, Config, Count, Id, Label, Mounts, "
                           "Name, None, Null, Part, Yes)"},
                      Case{"{{.Name.First}}", "error: template: '/web' has no field .First"},
                      Case{"{{index .Args 2}}", "error: template: index 2 of a list of 2"},
                      Case{"{{shout .Name}}", "error: template: function \"shout\" not defined"},
                      Case{"{{.Name", "not a template: template: missing }} at character 8"},
                      Case{"{{}}", "not a template: template: a value or a function is missing at character 3"},
                      Case{"{{if .Yes}}x", "not a template: template: {{if}} without {{end}} at character 13"},
                      Case{"x{{end}}", "not a template: template: unexpected {{end}} at character 7"},
                      Case{"{{\"a}}", "not a template: template: a string without an end at character 7"},
                      Case{"{{printf \"%9999d\" 1}}", "error: template: printf: %9999 is too wide"}));

TEST(TemplateBoundsTest, NestingIsBounded) {
  std::string text;
  for (int i = 0; i < 100000 / 2; ++i) text += "(";
  EXPECT_THAT(Executed("{{" + text), HasSubstr("nested more than 64 deep"));
  text.clear();
  for (int i = 0; i < 4000; ++i) text += "{{if 1}}";
  EXPECT_THAT(Executed(text), HasSubstr("nested more than 64 deep"));
  text.clear();
  for (int i = 0; i < 1000; ++i) text += "{{if 0}}{{else ";
  EXPECT_THAT(Executed(text + "if 1}}{{end}}"), HasSubstr("not a template"));
}

const std::vector<Heading> kHeadings = {{"ID", "IMAGE ID"}, {"Size", "SIZE"}};
const std::vector<std::string> kRows = {R"({"ID":"0123456789ab","Size":"1 MB","Label":{"a":"b"}})",
                                        R"({"ID":"é","Size":"\u001b[2J"})"};
constexpr const char* kUsual = "{{.ID}}\t{{.Size}}";

std::string Rows(std::string_view format) {
  const auto text = FormatRows(format, kUsual, kHeadings, kRows);
  return text.ok() ? *text : "error: " + text.error().message();
}

TEST(RowsTest, WithoutAFormatThereAreAlignedColumnsWithoutControlCharacters) {
  EXPECT_EQ(Rows(""), "IMAGE ID       SIZE\n0123456789ab   1 MB\né               [2J\n");
  EXPECT_EQ(Rows("table"), Rows(""));
}

TEST(RowsTest, ATableOfATemplateHasHeadingsThatFunctionsLeaveAlone) {
  EXPECT_EQ(Rows("table {{upper .Size}}\\t{{json .ID}}"),
            "SIZE      IMAGE ID\n1 MB      \"0123456789ab\"\n [2J      \"é\"\n");
}

TEST(RowsTest, ATabInAValueIsNotAColumn) {
  EXPECT_EQ(*FormatRows("", kUsual, kHeadings, {R"({"ID":"a\tb","Size":"1\n2"})"}),
            "IMAGE ID   SIZE\na b        1 2\n");
}

TEST(RowsTest, ATemplateIsALineARow) { EXPECT_EQ(Rows("{{.ID}}\\t-"), "0123456789ab\t-\né\t-\n"); }

TEST(RowsTest, JsonIsAnObjectALineWithoutWhatIsForTemplatesOnly) {
  EXPECT_EQ(Rows("json"), "{\"ID\":\"0123456789ab\",\"Size\":\"1 MB\"}\n{\"ID\":\"é\",\"Size\":\"\\u001b[2J\"}\n");
}

TEST(RowsTest, AFieldThatNoRowHasIsAnError) {
  EXPECT_THAT(Rows("{{.Sise}}"), HasSubstr("no field .Sise (known: ID, Label, Size)"));
}

Filters Parsed(const std::vector<std::string>& arguments) {
  return std::move(*Filters::Parse(arguments, {"label", "label!", "name", "dangling"}));
}

TEST(FiltersTest, ValuesOfOneKeyAreAlternatives) {
  const Filters filters = Parsed({"name=a", "name=b"});
  EXPECT_TRUE(filters.Pass("name", [](const std::string& value) { return value == "b"; }));
  EXPECT_FALSE(filters.Pass("name", [](const std::string& value) { return value == "c"; }));
  EXPECT_TRUE(filters.Pass("label", [](const std::string&) { return false; }));
}

TEST(FiltersTest, ANameIsFoundByAPartAndByItsEnds) {
  const std::string name = "web-1";
  for (const char* part : {"eb", "^web", "/web", "-1$", "^web-1$", "^/web-1$", ""})
    EXPECT_TRUE(Parsed({std::string("name=") + part}).PassName(name)) << part;
  for (const char* part : {"^eb", "/eb", "web$", "^web$", "^/web-$"})
    EXPECT_FALSE(Parsed({std::string("name=") + part}).PassName(name)) << part;
}

TEST(FiltersTest, AValueThatIsNotKnownIsNamed) {
  const auto is_a = [](const std::string& text) { return text == "a"; };
  EXPECT_TRUE(Parsed({"name=a"}).Check("name", is_a).ok());
  EXPECT_TRUE(Parsed({}).Check("name", is_a).ok());
  EXPECT_EQ(Parsed({"name=a", "name=b"}).Check("name", is_a).error().message(), "invalid filter 'name=b'");
}

TEST(FiltersTest, AllLabelsMustBeThere) {
  const Filters filters = Parsed({"label=a", "label=b=2"});
  EXPECT_TRUE(filters.PassLabels({{"a", "1"}, {"b", "2"}}));
  EXPECT_FALSE(filters.PassLabels({{"a", "1"}, {"b", "3"}}));
  EXPECT_FALSE(filters.PassLabels({{"b", "2"}}));
  EXPECT_FALSE(Parsed({"label!=a"}).PassLabels({{"a", "1"}}));
  EXPECT_TRUE(Parsed({"label!=a=2"}).PassLabels({{"a", "1"}}));
}

TEST(FiltersTest, WhatIsNotAFilterIsNamed) {
  EXPECT_THAT(Filters::Parse({"name"}, {"name"}).error().message(), HasSubstr("'name'"));
  EXPECT_THAT(Filters::Parse({"colour=red"}, {"name", "label"}).error().message(),
              HasSubstr("'colour' (known: name, label)"));
  EXPECT_EQ(Parsed({"dangling=perhaps"}).Flag("dangling", false).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Parsed({"dangling=true", "dangling=false"}).Flag("dangling", false).error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(*Parsed({"dangling=true"}).Flag("dangling", false));
}

}  // namespace
}  // namespace varve
