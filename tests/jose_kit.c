/* JSON Web Signatures held against a JWK Set. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "client/countersign.h"
#include "node/evidence/verify_internal.h"
#include "tests/jose_kit.h"

enum jose_outcome jose_judge(const char *jwks, const char *token, const char **ret_why)
{
	static struct evidence e;
	static char why[512];
	struct credential_issuer i;
	struct jws t;
	uint8_t data[CREDENTIAL_DATA_SIZE_MAX];
	size_t len;
	bool good;

	memset(&e, 0, sizeof e);
	*ret_why = why;
	if (cs_credential_issuer("https://idp.example", "countersign", 0, jwks, data, sizeof data, &len) != 0 ||
	    credential_issuer_read(&i, data, len) != 0) {
		snprintf(why, sizeof why, "%s", cs_last_error());
		return JOSE_NO_KEY;
	}
	good = jws_read(&t, token, strlen(token));
	snprintf(why, sizeof why, "it is no token");
	if (good) {
		good = jws_verifies(&e, &t, &i);
		snprintf(why, sizeof why, "%s", e.found.why);
	}
	jws_free(&t);
	return good ? JOSE_VERIFIED : JOSE_REFUSED;
}
