/* Writes one of two small databases of addresses: usage: mmdb_make city|asn FILE */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "tests/mmdb_write.h"

int main(int argc, char **argv)
{
	static const struct mmdb_network cities[] = {
	        {.prefix = "198.51.100.0/24", .country = "NL", .latitude = 52.374, .longitude = 4.8897},
	        {.prefix = "203.0.113.0/24", .country = "JP", .latitude = 35.689, .longitude = 139.692}};
	static const struct mmdb_network networks[] = {{.prefix = "198.51.100.0/24", .as = 64496},
	                                               {.prefix = "203.0.113.0/24", .as = 64497}};

	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "city") == 0)
		mmdb_write_file(argv[2], cities, 2, 1760000000);
	else
		mmdb_write_file(argv[2], networks, 2, 1760000001);
	return 0;
}
