# Adds compiler and linker flags to a variable, each only where this compiler takes it.
# SPDX-License-Identifier: Apache-2.0

# CS_CFLAGS(VARIABLE, FLAGS): -Werror in the probe, since clang only warns of flags that it does not know.
AC_DEFUN([CS_CFLAGS], [
	for cs_flag in $2; do
		AC_MSG_CHECKING([whether $CC takes $cs_flag])
		cs_saved=$CFLAGS
		CFLAGS="$CFLAGS -Werror $cs_flag"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [cs_takes=yes], [cs_takes=no])
		CFLAGS=$cs_saved
		AC_MSG_RESULT([$cs_takes])
		AS_IF([test $cs_takes = yes], [$1="$$1 $cs_flag"])
	done
	AC_SUBST([$1])
])

# CS_LDFLAGS(VARIABLE, FLAGS)
AC_DEFUN([CS_LDFLAGS], [
	for cs_flag in $2; do
		AC_MSG_CHECKING([whether the linker takes $cs_flag])
		cs_saved=$LDFLAGS
		LDFLAGS="$LDFLAGS $cs_flag"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [cs_takes=yes], [cs_takes=no])
		LDFLAGS=$cs_saved
		AC_MSG_RESULT([$cs_takes])
		AS_IF([test $cs_takes = yes], [$1="$$1 $cs_flag"])
	done
	AC_SUBST([$1])
])

# CS_FORTIFY(VARIABLE): the highest _FORTIFY_SOURCE that libc takes with these CFLAGS; nothing without optimisation,
# where libc warns and ignores it. -U first: some distributions predefine a lower one.
AC_DEFUN([CS_FORTIFY], [
	AC_MSG_CHECKING([for the level of _FORTIFY_SOURCE])
	cs_level=none
	for cs_try in 2 3; do
		cs_saved=$CPPFLAGS
		CPPFLAGS="$CPPFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$cs_try"
		AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
			#include <string.h>
			#if !defined __OPTIMIZE__ || __USE_FORTIFY_LEVEL < _FORTIFY_SOURCE
			#error "not here"
			#endif
		]])], [cs_level=$cs_try])
		CPPFLAGS=$cs_saved
	done
	AC_MSG_RESULT([$cs_level])
	AS_IF([test $cs_level != none], [$1="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$cs_level"])
	AC_SUBST([$1])
])
