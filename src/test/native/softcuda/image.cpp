// The image format, shared by libnvrtc (writes) and libcuda (reads).
#include <cstring>

#include "module.h"

namespace softcuda {

uint32_t imageChecksum(const unsigned char *bytes, uint64_t count) {
  uint32_t low = 1;
  uint32_t high = 0;
  for (uint64_t i = 0; i < count; i++) {
    low = (low + bytes[i]) % 65521;
    high = (high + low) % 65521;
  }
  return high << 16 | low;
}

std::vector<char> asCubin(const std::vector<char> &object, int architecture) {
  ImageHeader header = {};
  std::memcpy(header.magic, "SOFTCUDA", 8);
  header.architecture = static_cast<uint32_t>(architecture);
  header.checksum = imageChecksum(reinterpret_cast<const unsigned char *>(object.data()), object.size());
  header.bytes = object.size();
  std::vector<char> image(sizeof header + object.size());
  std::memcpy(image.data(), &header, sizeof header);
  std::memcpy(image.data() + sizeof header, object.data(), object.size());
  return image;
}

std::string asPtx(const std::vector<char> &object, int architecture) {
  static const char digits[] = "0123456789abcdef";
  std::string text = ptxFirstLine;
  for (char c : asCubin(object, architecture)) {
    auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace softcuda
