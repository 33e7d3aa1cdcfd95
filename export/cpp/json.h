// Reads JSON.

#ifndef GRW_JSON_H_
#define GRW_JSON_H_

#include <cstdint>
#include <string>
#include <vector>

namespace grw {

// A JSON value. Questions about a value of another kind have empty answers, so that
// checks of a value need not ask for its kind first.
class Json {
 public:
  enum class Kind { kNull, kBool, kInteger, kReal, kString, kList, kObject };

  // Reads a text in UTF-8. NaN and Infinity are numbers, as Python writes them. Throws
  // std::runtime_error if it is not JSON.
  static Json Parse(const std::string& text);

  Kind kind() const { return kind_; }
  bool IsNumber() const { return kind_ == Kind::kInteger || kind_ == Kind::kReal; }
  // Whether it is a whole number above 0.
  bool IsCount() const { return kind_ == Kind::kInteger && integer_ > 0; }

  bool boolean() const { return kind_ == Kind::kBool && integer_ != 0; }
  int64_t integer() const { return kind_ == Kind::kInteger ? integer_ : 0; }
  double number() const;
  const std::string& text() const { return text_; }
  // A list's items or an object's values.
  const std::vector<Json>& items() const { return items_; }

  // Returns an object's value; null without it.
  const Json& operator[](const std::string& key) const;
  bool Has(const std::string& key) const;

 private:
  friend class JsonReader;

  Kind kind_ = Kind::kNull;
  int64_t integer_ = 0;
  double real_ = 0;
  std::string text_;
  std::vector<std::string> keys_;
  std::vector<Json> items_;
};

// Returns whether bytes are UTF-8.
bool IsUtf8(const std::string& bytes);

// Returns a text in UTF-8 as a JSON string, in quotes.
std::string QuotedJson(const std::string& text);

}  // namespace grw

#endif  // GRW_JSON_H_
