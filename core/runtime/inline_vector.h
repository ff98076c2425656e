// InlineVector<T, N>: a vector of owning things whose first N live inside it.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <utility>

namespace lampas {

template <class T, int N>
class InlineVector {
 public:
  InlineVector() = default;
  explicit InlineVector(size_t count) { resize(count); }
  InlineVector(std::initializer_list<T> list) {
    reserve(list.size());
    for (const T& value : list) new (data_ + size_++) T(value);
  }
  InlineVector(const InlineVector& other) {
    reserve(other.size_);
    for (const T& value : other) new (data_ + size_++) T(value);
  }
  InlineVector(InlineVector&& other) noexcept { take(other); }
  InlineVector& operator=(InlineVector other) noexcept {
    clear_all();
    take(other);
    return *this;
  }
  ~InlineVector() { clear_all(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }

  void push_back(T value) {
    reserve(size_ + 1);
    new (data_ + size_) T(std::move(value));
    ++size_;
  }
  void resize(size_t count) {
    while (size_ > count) data_[--size_].~T();
    reserve(count);
    while (size_ < count) new (data_ + size_++) T();
  }
  void pop_back() { data_[--size_].~T(); }
  void clear() { resize(0); }
  void reserve(size_t count) {
    if (count <= room_) return;
    size_t room = count > 2 * size_t{room_} ? count : 2 * size_t{room_};
    T* fresh = static_cast<T*>(::operator new(room * sizeof(T)));
    std::uninitialized_move(begin(), end(), fresh);
    std::destroy(begin(), end());
    if (data_ != inside()) ::operator delete(data_);
    data_ = fresh;
    room_ = static_cast<uint32_t>(room);
  }

 private:
  T* inside() { return reinterpret_cast<T*>(inside_); }
  void clear_all() {
    std::destroy(begin(), end());
    if (data_ != inside()) ::operator delete(data_);
    data_ = inside();
    size_ = 0;
    room_ = N;
  }
  void take(InlineVector& other) {
    size_ = other.size_;
    if (other.data_ == other.inside()) {
      std::uninitialized_move(other.begin(), other.end(), inside());
      std::destroy(other.begin(), other.end());
    } else {
      data_ = std::exchange(other.data_, other.inside());
      room_ = std::exchange(other.room_, N);
    }
    other.size_ = 0;
  }

  T* data_ = reinterpret_cast<T*>(inside_);
  uint32_t size_ = 0, room_ = N;
  alignas(T) unsigned char inside_[N * sizeof(T)];
};

}  // namespace lampas
