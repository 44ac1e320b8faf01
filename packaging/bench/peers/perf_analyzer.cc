// The symbols that perf_analyzer 2.60.0 from PyPI (glibc 2.38, GCC 13) wants and Debian 12 (glibc 2.36, GCC 12) has not.
// Preloaded: g++ -O1 -shared -fPIC -o missing.so perf_analyzer.cc
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <vector>

extern "C" {
// C23's twins of functions that differ only in taking the prefix 0b.
long __isoc23_strtol(const char *s, char **end, int base) { return strtol(s, end, base); }
long long __isoc23_strtoll(const char *s, char **end, int base) { return strtoll(s, end, base); }
unsigned long __isoc23_strtoul(const char *s, char **end, int base) { return strtoul(s, end, base); }
unsigned long long __isoc23_strtoull(const char *s, char **end, int base) { return strtoull(s, end, base); }
int __isoc23_sscanf(const char *s, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsscanf(s, format, args);
  va_end(args);
  return n;
}

// std::ios_base_library_init(): a program built by GCC 13 has it make cin and cout ready.
void _ZSt21ios_base_library_initv() { static std::ios_base::Init init; }

// std::string::_M_replace_cold(p, n1, s, n2, tail): n1 characters at p become the n2 at s, which may lie in the same string;
// tail characters after them move along.
void _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE15_M_replace_coldEPcmPKcmm(void *, char *p, size_t n1, const char *s,
                                                                                    size_t n2, size_t tail) {
  std::vector<char> copy(s, s + n2);
  if (tail && n1 != n2) memmove(p + n2, p + n1, tail);
  if (n2) memcpy(p, copy.data(), n2);
}
}
