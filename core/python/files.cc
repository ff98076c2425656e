// What reading and writing checkpoints asks of the system: large reads by all threads, checksums of
// what was read while it lies in the cache, and space for a file before it is written. Formats of
// files are Python's business (lampas/serialization).
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <vector>

#include "cpu/checksum.h"
#include "python/convert.h"
#include "python/types.h"
#include "runtime/parallel.h"

namespace lampas::python {

namespace {

// Memory that Python lends.
class Lent {
 public:
  Lent(PyObject* object, int flags) {
    if (PyObject_GetBuffer(object, &view_, flags) < 0) throw PythonError();
  }
  ~Lent() { PyBuffer_Release(&view_); }
  Lent(const Lent&) = delete;
  char* data() const { return static_cast<char*>(view_.buf); }
  size_t size() const { return static_cast<size_t>(view_.len); }

 private:
  Py_buffer view_;
};

PyObject* crc32(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* object;
    unsigned int before = 0;
    if (!PyArg_ParseTuple(args, "O|I", &object, &before)) throw PythonError();
    Lent lent(object, PyBUF_SIMPLE);
    uint32_t sum;
    {
      WithoutGil released;
      sum = cpu::parallel_crc32(lent.data(), lent.size(), before);
    }
    return PyLong_FromUnsignedLong(sum);
  });
}

// Fills the memory from a place of the file. 0, an errno, or -1 where the file ends before.
int read_piece(int file, char* to, int64_t bytes, int64_t place) {
  while (bytes > 0) {
    ssize_t count = pread(file, to, static_cast<size_t>(bytes), place);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : -1;
    to += count;
    place += count;
    bytes -= count;
  }
  return 0;
}

// read_at(file descriptor, place, memory): the CRC-32 of what was read, or None where the file is
// too short. Each piece is summed while it lies in the cache.
PyObject* read_at(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* object;
    int file;
    long long place;
    if (!PyArg_ParseTuple(args, "iLO", &file, &place, &object)) throw PythonError();
    Lent lent(object, PyBUF_WRITABLE);
    auto size = static_cast<int64_t>(lent.size());
    std::vector<uint32_t> sums(lent.size() / cpu::kChecksumPiece + 1);
    std::atomic<int> failure{0};
    uint32_t sum = 0;
    {
      WithoutGil released;
      parallel_for(size, cpu::kChecksumPiece, [&](int64_t begin, int64_t end) {
        int status = read_piece(file, lent.data() + begin, end - begin, place + begin);
        if (status) return failure.store(status);
        sums[static_cast<size_t>(begin / cpu::kChecksumPiece)] =
            cpu::crc32(lent.data() + begin, static_cast<size_t>(end - begin));
      });
      for (int64_t begin = 0; begin < size; begin += cpu::kChecksumPiece) {
        int64_t length = std::min(size - begin, cpu::kChecksumPiece);
        sum = cpu::joined_crc32(sum, sums[static_cast<size_t>(begin / cpu::kChecksumPiece)],
                                static_cast<uint64_t>(length));
      }
    }
    if (failure < 0) Py_RETURN_NONE;
    if (failure > 0) {
      errno = failure;
      PyErr_SetFromErrno(PyExc_OSError);
      throw PythonError();
    }
    return PyLong_FromUnsignedLong(sum);
  });
}

// reserve_space(file descriptor, bytes): so much room on the disk, or OSError where it is full.
// The length of the file stays. Does nothing where the file system cannot.
PyObject* reserve_space(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int file;
    long long bytes;
    if (!PyArg_ParseTuple(args, "iL", &file, &bytes)) throw PythonError();
#if defined(__linux__)
    int status;
    {
      WithoutGil released;
      while ((status = fallocate(file, FALLOC_FL_KEEP_SIZE, 0, bytes)) < 0 && errno == EINTR) {
      }
    }
    if (status < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
      PyErr_SetFromErrno(PyExc_OSError);
      throw PythonError();
    }
#endif
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {{"_crc32", crc32, METH_VARARGS, nullptr},
                           {"_read_at", read_at, METH_VARARGS, nullptr},
                           {"_reserve_space", reserve_space, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_files(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
