# Writes the headers that kernels of the GPU share with the host into a C++ source, as texts.
#   cmake -DROOT=core "-DHEADERS=ops/lane.h;..." -DTARGET=headers.cc -P embed.cmake
set(entries "")
set(count 0)
foreach(header ${HEADERS})
  file(READ ${ROOT}/${header} text)
  string(APPEND entries "    {\"${header}\", R\"lampas~(${text})lampas~\"},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${TARGET} "#include \"cuda/program.h\"\n\nnamespace lampas::cuda {\n\nconst Header kHeaders[] = {\n${entries}};\nconst int kHeaderCount = ${count};\n\n}  // namespace lampas::cuda\n")
