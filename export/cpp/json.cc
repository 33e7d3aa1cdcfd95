#include "json.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <locale>
#include <sstream>
#include <stdexcept>

namespace grw {
namespace {

// Deeper values would need much of the stack.
constexpr int kMostDepth = 100;

bool IsDigit(char c) { return '0' <= c && c <= '9'; }

// As strtod, whatever the program's locale.
double ToReal(const std::string& digits) {
  std::istringstream stream(digits);
  stream.imbue(std::locale::classic());
  double value = 0;
  if (stream >> value) return value;
  const double infinity = std::numeric_limits<double>::infinity();
  return digits[0] == '-' ? -infinity : infinity;
}

void AppendUtf8(uint32_t code, std::string& text) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | code >> 18);
    text += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace

class JsonReader {
 public:
  explicit JsonReader(const std::string& text) : text_(text) {}

  Json ReadAll() {
    Json value = ReadValue(0);
    SkipSpace();
    if (at_ != text_.size()) Fail();
    return value;
  }

 private:
  [[noreturn]] void Fail() const {
    throw std::runtime_error("not JSON at byte " + std::to_string(at_));
  }

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void SkipSpace() {
    while (at_ < text_.size() && std::string(" \t\r\n").find(text_[at_]) !=
                                     std::string::npos) {
      ++at_;
    }
  }

  bool Take(const std::string& word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }

  void Expect(const std::string& word) {
    if (!Take(word)) Fail();
  }

  Json ReadValue(int depth) {
    if (depth > kMostDepth) Fail();
    SkipSpace();
    Json value;
    if (Peek() == '{' || Peek() == '[') return ReadItems(depth);
    if (Peek() == '"') {
      value.kind_ = Json::Kind::kString;
      value.text_ = ReadString();
    } else if (Take("null")) {
      value.kind_ = Json::Kind::kNull;
    } else if (Take("true")) {
      value.kind_ = Json::Kind::kBool;
      value.integer_ = 1;
    } else if (Take("false")) {
      value.kind_ = Json::Kind::kBool;
    } else {
      ReadNumber(value);
    }
    return value;
  }

  Json ReadItems(int depth) {
    Json value;
    const bool is_object = Peek() == '{';
    const std::string end = is_object ? "}" : "]";
    value.kind_ = is_object ? Json::Kind::kObject : Json::Kind::kList;
    ++at_;
    SkipSpace();
    if (Take(end)) return value;
    do {
      if (is_object) {
        SkipSpace();
        if (Peek() != '"') Fail();
        value.keys_.push_back(ReadString());
        SkipSpace();
        Expect(":");
      }
      value.items_.push_back(ReadValue(depth + 1));
      SkipSpace();
    } while (Take(","));
    Expect(end);
    return value;
  }

  void ReadNumber(Json& value) {
    value.kind_ = Json::Kind::kReal;
    const size_t start = at_;
    const double sign = Take("-") ? -1 : 1;
    if (Take("Infinity")) {
      value.real_ = sign * std::numeric_limits<double>::infinity();
      return;
    }
    if (sign > 0 && Take("NaN")) {
      value.real_ = std::numeric_limits<double>::quiet_NaN();
      return;
    }
    if (!Take("0")) TakeDigits();
    bool is_integer = true;
    if (Take(".")) {
      is_integer = false;
      TakeDigits();
    }
    if (Take("e") || Take("E")) {
      is_integer = false;
      if (!Take("+")) Take("-");
      TakeDigits();
    }
    const std::string digits = text_.substr(start, at_ - start);
    errno = 0;
    if (is_integer) value.integer_ = std::strtoll(digits.c_str(), nullptr, 10);
    if (is_integer && errno == 0) {
      value.kind_ = Json::Kind::kInteger;
    } else {
      value.real_ = ToReal(digits);
    }
  }

  void TakeDigits() {
    if (!IsDigit(Peek())) Fail();
    while (IsDigit(Peek())) ++at_;
  }

  std::string ReadString() {
    std::string result;
    Expect("\"");
    while (Peek() != '"') {
      // Also at the end of the text.
      if (static_cast<uint8_t>(Peek()) < 0x20) Fail();
      if (Take("\\")) {
        ReadEscape(result);
      } else {
        result += text_[at_++];
      }
    }
    ++at_;
    return result;
  }

  void ReadEscape(std::string& result) {
    static const std::string kEscapes = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (Take("u")) {
      uint32_t code = ReadHex();
      const bool is_first = 0xD800 <= code && code < 0xDC00;
      if (is_first && Take("\\u")) {
        const uint32_t second = ReadHex();
        if (second < 0xDC00 || 0xE000 <= second) Fail();
        code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
      } else if (0xD800 <= code && code < 0xE000) {
        code = 0xFFFD;  // Half of a character.
      }
      AppendUtf8(code, result);
      return;
    }
    const size_t index = Peek() == '\0' ? std::string::npos : kEscapes.find(Peek());
    if (index == std::string::npos) Fail();
    result += kMeanings[index];
    ++at_;
  }

  uint32_t ReadHex() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = Peek();
      const bool is_letter = ('a' <= c && c <= 'f') || ('A' <= c && c <= 'F');
      if (!IsDigit(c) && !is_letter) Fail();
      const int digit = is_letter ? (c | 0x20) - 'a' + 10 : c - '0';
      code = code << 4 | static_cast<uint32_t>(digit);
    }
    return code;
  }

  const std::string& text_;
  size_t at_ = 0;
};

Json Json::Parse(const std::string& text) {
  if (!IsUtf8(text)) throw std::runtime_error("not UTF-8");
  return JsonReader(text).ReadAll();
}

double Json::number() const {
  if (kind_ == Kind::kInteger) return static_cast<double>(integer_);
  return kind_ == Kind::kReal ? real_ : std::numeric_limits<double>::quiet_NaN();
}

const Json& Json::operator[](const std::string& key) const {
  static const Json kNone;
  // The last of equal keys counts, as in Python.
  const auto found = std::find(keys_.rbegin(), keys_.rend(), key);
  return found == keys_.rend() ? kNone : items_[keys_.rend() - found - 1];
}

bool Json::Has(const std::string& key) const {
  return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
}

bool IsUtf8(const std::string& bytes) {
  for (size_t i = 0; i < bytes.size();) {
    const auto first = static_cast<uint8_t>(bytes[i++]);
    if (first < 0x80) continue;
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    uint32_t code = first & (0x3F >> more);
    if (first < 0xC2 || first > 0xF4 || i + more > bytes.size()) return false;
    for (int j = 0; j < more; ++j) {
      const auto next = static_cast<uint8_t>(bytes[i++]);
      if ((next & 0xC0) != 0x80) return false;
      code = code << 6 | (next & 0x3F);
    }
    constexpr uint32_t kLeast[] = {0x80, 0x800, 0x10000};
    const bool is_half = 0xD800 <= code && code < 0xE000;
    if (code < kLeast[more - 1] || code > 0x10FFFF || is_half) return false;
  }
  return true;
}

std::string QuotedJson(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<uint8_t>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace grw
