// Shapes, strides and other short lists: a vector that keeps its first N elements inside itself.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <type_traits>

namespace lampas {

template <class T, int N>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;
  SmallVector() = default;
  explicit SmallVector(size_t count, T value = T{}) { resize(count, value); }
  SmallVector(std::initializer_list<T> list) { assign(list.begin(), list.size()); }
  SmallVector(std::span<const T> list) { assign(list.data(), list.size()); }
  template <class It>
  SmallVector(It first, It last) {
    for (; first != last; ++first) push_back(*first);
  }
  SmallVector(const SmallVector& other) { assign(other.data_, other.size_); }
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(const SmallVector& other) {
    if (this != &other) assign(other.data_, other.size_);
    return *this;
  }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~SmallVector() { release(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }
  operator std::span<const T>() const { return {data_, size_}; }

  void clear() { size_ = 0; }
  void push_back(T value) {
    reserve(size_ + 1);
    data_[size_++] = value;
  }
  void pop_back() { --size_; }
  void resize(size_t count, T value = T{}) {
    reserve(count);
    for (size_t i = size_; i < count; ++i) data_[i] = value;
    size_ = static_cast<uint32_t>(count);
  }
  void insert(size_t place, T value) {
    push_back(value);
    std::rotate(data_ + place, data_ + size_ - 1, data_ + size_);
  }
  void erase(size_t place) {
    std::copy(data_ + place + 1, data_ + size_, data_ + place);
    --size_;
  }
  void assign(const T* from, size_t count) {
    reserve(count);
    if (count <= N)  // a call of memmove costs more than these few; `from` may lie in data_, above
      for (size_t i = 0; i < count; ++i) data_[i] = from[i];
    else
      std::memmove(static_cast<void*>(data_), from, count * sizeof(T));
    size_ = static_cast<uint32_t>(count);
  }
  void reserve(size_t count) {
    if (count <= room_) return;
    size_t room = std::max<size_t>(count, room_ * 2);
    T* fresh = static_cast<T*>(std::malloc(room * sizeof(T)));
    if (!fresh) throw std::bad_alloc();
    std::memcpy(static_cast<void*>(fresh), data_, size_ * sizeof(T));
    if (data_ != inside_) std::free(data_);
    data_ = fresh;
    room_ = static_cast<uint32_t>(room);
  }
  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    if (a.size_ != b.size_) return false;
    for (uint32_t i = 0; i < a.size_; ++i)  // a call of memcmp costs more than these few numbers
      if (a.data_[i] != b.data_[i]) return false;
    return true;
  }

 private:
  void release() {
    if (data_ != inside_) std::free(data_);
  }
  void take(SmallVector& other) {
    size_ = other.size_;
    if (other.data_ == other.inside_) {
      data_ = inside_;
      room_ = N;
      for (uint32_t i = 0; i < size_; ++i) inside_[i] = other.inside_[i];
    } else {
      data_ = other.data_;
      room_ = other.room_;
      other.data_ = other.inside_;
      other.room_ = N;
    }
    other.size_ = 0;
  }

  T* data_ = inside_;
  uint32_t size_ = 0, room_ = N;
  T inside_[N];
};

using Dims = SmallVector<int64_t, 5>;
using Span = std::span<const int64_t>;

inline bool same(Span a, Span b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) return false;
  return true;
}

}  // namespace lampas
