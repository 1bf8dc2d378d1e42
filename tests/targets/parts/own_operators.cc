// SPDX-License-Identifier: BSD-2-Clause
/* Operators of a program's own, which do not call malloc; to be linked into alloc_cxx. */
#include <new>

#include "../own_heap.h"

void *operator new(std::size_t size)
{
	void *block = own_alloc(size);

	if (!block)
		throw std::bad_alloc();
	return block;
}
void *operator new[](std::size_t size)
{
	return ::operator new(size);
}
void operator delete(void *block) noexcept
{
	own_free(block);
}
void operator delete[](void *block) noexcept
{
	::operator delete(block);
}
void operator delete(void *block, std::size_t) noexcept
{
	::operator delete(block);
}
void operator delete[](void *block, std::size_t) noexcept
{
	::operator delete[](block);
}
