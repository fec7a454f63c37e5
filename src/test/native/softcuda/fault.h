// Turns a hardware fault of a kernel into a status and a message.
#pragma once

#include <functional>
#include <string>

namespace softcuda {

/**
 * Runs code that may fault at any instruction; the faulting code is left as by longjmp.
 *
 * @return 0, or the CUresult for the fault, with `message` saying which address
 */
int catchFault(void (*code)(), std::string &message);

}  // namespace softcuda
