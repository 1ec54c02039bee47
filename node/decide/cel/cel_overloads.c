/* Functions and operators of CEL: names, which types they take, what they give (langdef.md, Standard Definitions). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

/*
 * One letter a type: b bool, i int, u uint, s string, y bytes, l list, m map, n null, T type, t timestamp, d duration,
 * * anything; behind the colon what it gives.
 */
static const struct {
	enum cel_op op;
	const char *types;
} overloads[] = {
        {OP_NOT, "b:b"},
        {OP_NEG, "i:i"},
        {OP_ADD, "ii:i uu:u ss:s yy:y td:t dt:t dd:d"},
        {OP_SUB, "ii:i uu:u tt:d td:t dd:d"},
        {OP_MUL, "ii:i uu:u"},
        {OP_DIV, "ii:i uu:u"},
        {OP_MOD, "ii:i uu:u"},
        {OP_LT, "bb:b ii:b uu:b ss:b yy:b tt:b dd:b"},
        {OP_LE, "bb:b ii:b uu:b ss:b yy:b tt:b dd:b"},
        {OP_GT, "bb:b ii:b uu:b ss:b yy:b tt:b dd:b"},
        {OP_GE, "bb:b ii:b uu:b ss:b yy:b tt:b dd:b"},
        {OP_SIZE, "s:i y:i l:i m:i"},
        {OP_CONTAINS, "ss:b"},
        {OP_STARTS_WITH, "ss:b"},
        {OP_ENDS_WITH, "ss:b"},
        {OP_MATCHES, "ss:b"},
        {OP_TO_INT, "i:i u:i s:i t:i"},
        {OP_TO_UINT, "u:u i:u s:u"},
        {OP_TO_STRING, "s:s b:s i:s u:s y:s t:s d:s"},
        {OP_TO_BYTES, "y:y s:y"},
        {OP_TO_BOOL, "b:b s:b"},
        {OP_TO_TYPE, "*:T"},
        {OP_TO_DYN, "*:*"},
        {OP_TO_TIMESTAMP, "t:t s:t i:t"},
        {OP_TO_DURATION, "d:d s:d"},
        {OP_LOWER_ASCII, "s:s"},
        {OP_UPPER_ASCII, "s:s"},
        {OP_GET_FULL_YEAR, "t:i ts:i"},
        {OP_GET_MONTH, "t:i ts:i"},
        {OP_GET_DATE, "t:i ts:i"},
        {OP_GET_DAY_OF_MONTH, "t:i ts:i"},
        {OP_GET_DAY_OF_WEEK, "t:i ts:i"},
        {OP_GET_DAY_OF_YEAR, "t:i ts:i"},
        {OP_GET_HOURS, "t:i ts:i d:i"},
        {OP_GET_MINUTES, "t:i ts:i d:i"},
        {OP_GET_SECONDS, "t:i ts:i d:i"},
        {OP_GET_MILLISECONDS, "t:i ts:i d:i"},
};

#define GLOBAL   1u
#define RECEIVER 2u

static const struct {
	const char *name;
	enum cel_op op;
	unsigned styles, args_min, args_max; /* Arguments: the receiver included. */
} functions[] = {
        {"size", OP_SIZE, GLOBAL | RECEIVER, 1, 1},
        {"contains", OP_CONTAINS, RECEIVER, 2, 2},
        {"startsWith", OP_STARTS_WITH, RECEIVER, 2, 2},
        {"endsWith", OP_ENDS_WITH, RECEIVER, 2, 2},
        {"matches", OP_MATCHES, GLOBAL | RECEIVER, 2, 2},
        {"int", OP_TO_INT, GLOBAL, 1, 1},
        {"uint", OP_TO_UINT, GLOBAL, 1, 1},
        {"string", OP_TO_STRING, GLOBAL, 1, 1},
        {"bytes", OP_TO_BYTES, GLOBAL, 1, 1},
        {"bool", OP_TO_BOOL, GLOBAL, 1, 1},
        {"type", OP_TO_TYPE, GLOBAL, 1, 1},
        {"dyn", OP_TO_DYN, GLOBAL, 1, 1},
        {"timestamp", OP_TO_TIMESTAMP, GLOBAL, 1, 1},
        {"duration", OP_TO_DURATION, GLOBAL, 1, 1},
        {"lowerAscii", OP_LOWER_ASCII, RECEIVER, 1, 1},
        {"upperAscii", OP_UPPER_ASCII, RECEIVER, 1, 1},
        {"getFullYear", OP_GET_FULL_YEAR, RECEIVER, 1, 2},
        {"getMonth", OP_GET_MONTH, RECEIVER, 1, 2},
        {"getDate", OP_GET_DATE, RECEIVER, 1, 2},
        {"getDayOfMonth", OP_GET_DAY_OF_MONTH, RECEIVER, 1, 2},
        {"getDayOfWeek", OP_GET_DAY_OF_WEEK, RECEIVER, 1, 2},
        {"getDayOfYear", OP_GET_DAY_OF_YEAR, RECEIVER, 1, 2},
        {"getHours", OP_GET_HOURS, RECEIVER, 1, 2},
        {"getMinutes", OP_GET_MINUTES, RECEIVER, 1, 2},
        {"getSeconds", OP_GET_SECONDS, RECEIVER, 1, 2},
        {"getMilliseconds", OP_GET_MILLISECONDS, RECEIVER, 1, 2},
};

enum cel_op cel_function(struct text name, bool receiver, unsigned n_args, bool *ret_known)
{
	*ret_known = false;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (!text_is(name, functions[i].name))
			continue;
		*ret_known = true;
		if ((functions[i].styles & (receiver ? RECEIVER : GLOBAL)) != 0 && n_args >= functions[i].args_min &&
		    n_args <= functions[i].args_max)
			return functions[i].op;
	}
	return OP_NAME;
}

const char *cel_op_text(enum cel_op op)
{
	static const struct {
		enum cel_op op;
		const char *text;
	} operators[] = {{OP_NOT, "!"}, {OP_NEG, "-"}, {OP_AND, "&&"},  {OP_OR, "||"}, {OP_COND, "?:"},
	                 {OP_ADD, "+"}, {OP_SUB, "-"}, {OP_MUL, "*"},   {OP_DIV, "/"}, {OP_MOD, "%"},
	                 {OP_EQ, "=="}, {OP_NE, "!="}, {OP_LT, "<"},    {OP_LE, "<="}, {OP_GT, ">"},
	                 {OP_GE, ">="}, {OP_IN, "in"}, {OP_INDEX, "[]"}};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (operators[i].op == op)
			return operators[i].text;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (functions[i].op == op)
			return functions[i].name;
	return "a macro";
}

static uint8_t letter_kind(char c)
{
	static const char letters[] = "biusylmnTtd*";
	static const uint8_t kinds[] = {CEL_BOOL, CEL_INT,  CEL_UINT, CEL_STRING,    CEL_BYTES,    CEL_LIST,
	                                CEL_MAP,  CEL_NULL, CEL_TYPE, CEL_TIMESTAMP, CEL_DURATION, CEL_DYN};

	return kinds[strchr(letters, c) - letters];
}

/* One overload of the text: does it take these types? Moves to its colon or past what does not fit. */
static bool takes(const struct cel_work *w, const char **types, const uint16_t *args, unsigned n)
{
	bool fits = true;
	unsigned i = 0;

	for (; **types != ':'; (*types)++, i++) {
		uint8_t kind = letter_kind(**types);
		if (i >= n || (kind != CEL_DYN && w->types[args[i]].kind != CEL_DYN && w->types[args[i]].kind != kind))
			fits = false;
	}
	return fits && i == n;
}

uint16_t cel_overload(struct cel_work *w, enum cel_op op, const uint16_t *args, unsigned n)
{
	uint16_t gives = CEL_ERROR;

	/* A list has its type from both: the others are in the table. */
	if (op == OP_ADD && n == 2 && w->types[args[0]].kind == CEL_LIST && w->types[args[1]].kind == CEL_LIST)
		return cel_type_fits(w, args[0], args[1]) ? cel_type_join(w, args[0], args[1]) : CEL_ERROR;
	if (op == OP_ADD && n == 2 && (w->types[args[0]].kind == CEL_LIST || w->types[args[1]].kind == CEL_LIST))
		return w->types[args[0]].kind == CEL_DYN || w->types[args[1]].kind == CEL_DYN
		               ? cel_type_list(w, CEL_DYN)
		               : CEL_ERROR;
	for (size_t i = 0; i < sizeof(overloads) / sizeof(overloads[0]); i++) {
		const char *types = overloads[i].types;
		while (overloads[i].op == op && *types != 0) {
			bool fits = takes(w, &types, args, n);
			uint8_t kind = letter_kind(types[1]);
			if (fits)
				gives = gives == CEL_ERROR || gives == kind ? kind : CEL_DYN;
			types += types[2] == ' ' ? 3 : 2;
		}
	}
	if (op == OP_ADD && n == 2 && w->types[args[0]].kind == CEL_DYN && w->types[args[1]].kind == CEL_DYN)
		return CEL_DYN;
	return gives;
}
