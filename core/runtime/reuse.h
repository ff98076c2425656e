// Blocks of small objects that come and go with every call, kept for the next one of their kind:
// about a fifth of the instructions of malloc and free. For objects whose owners hold the GIL (see
// ref.h); memory of tensors is the allocator's.
#pragma once
#include <cstddef>
#include <new>

namespace lampas {

template <class T>
class Reuse {
 public:
  static void* take() {
    if (!kept_) return ::operator new(sizeof(T));
    Block* block = kept_;
    kept_ = block->next;
    --count_;
    return block;
  }
  static void give(void* object) {
    if (count_ == kMost) return ::operator delete(object);
    kept_ = ::new (object) Block{kept_};
    ++count_;
  }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr int kMost = 0;  // so that every use after free is seen
#else
  static constexpr int kMost = 1024;
#endif
  struct Block {
    Block* next;
  };
  static inline Block* kept_ = nullptr;
  static inline int count_ = 0;
};

// A base that gives a class its blocks from there. Classes derived from such a class need their
// own.
template <class T>
struct Reused {
  static void* operator new(size_t) { return Reuse<T>::take(); }
  static void operator delete(void* object) { Reuse<T>::give(object); }
};

}  // namespace lampas
