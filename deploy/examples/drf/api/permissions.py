from rest_framework.permissions import BasePermission


class HasScope(BasePermission):
    """The scope `account`, which first-party tokens have."""

    def has_permission(self, request, view) -> bool:
        return request.auth is not None and "account" in request.auth.get("scope", "").split()


class IsAnalyst(HasScope):
    """Besides, the role `analyst`."""

    def has_permission(self, request, view) -> bool:
        return super().has_permission(request, view) and "analyst" in request.auth.get("roles", [])
