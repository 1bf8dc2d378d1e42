// SPDX-License-Identifier: BSD-2-Clause
#include "elf/cie.h"

#include <errno.h>

static void skip_pointer(struct cursor *c, uint8_t encoding)
{
	if (encoding != PE_OMIT)
		cursor__format(c, encoding);
}

/* Letters behind the 'z', and what each of them has put into the data. */
static int read_augmentation(struct cursor *c, const char *letters, struct cie *cie)
{
	uint64_t size = cursor__uleb(c);
	size_t begin = c->pos;

	if (!cursor__bytes(c, size))
		return -EINVAL;
	c->pos = begin;
	for (; *letters && !c->bad; letters++) {
		switch (*letters) {
		case 'R':
			cie->code_encoding = cursor__byte(c);
			break;
		case 'L':
			cie->lsda_encoding = cursor__byte(c);
			break;
		case 'P':
			skip_pointer(c, cursor__byte(c));
			cie->has_personality = true;
			break;
		case 'S':
			cie->is_signal = true;
			break;
		case 'B': /* return addresses are signed with the other key: not on x86-64 */
			break;
		default:
			return -ENOTSUP;
		}
	}
	if (c->bad || c->pos - begin > size)
		return -EINVAL;
	c->pos = begin + size;
	cie->augmented = true;
	return 0;
}

int cie__read(struct cursor *c, struct cie *out)
{
	uint8_t version = cursor__byte(c);
	const char *letters = cursor__string(c);

	*out = (struct cie){.lsda_encoding = PE_OMIT};
	if (!letters)
		return -EINVAL;
	if (version != 1 && version != 3 && version != 4)
		return -ENOTSUP;
	if (!strcmp(letters, "eh")) { /* GCC 2: a pointer of its own */
		cursor__number(c, 8);
		letters = "";
	}
	if (version == 4 && cursor__number(c, 2) != 8)
		return -ENOTSUP; /* addresses of 8 bytes, no segments */
	out->code_align = cursor__uleb(c);
	out->data_align = cursor__sleb(c);
	out->return_register = version == 1 ? cursor__byte(c) : cursor__uleb(c);
	if (c->bad)
		return -EINVAL;
	if (!*letters)
		return 0;
	return *letters == 'z' ? read_augmentation(c, letters + 1, out) : -ENOTSUP;
}
