from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.response import Response

from api.permissions import IsAnalyst


@api_view()
@authentication_classes([])
@permission_classes([])
def public(request):
    return Response({"message": "anybody may read this"})


@api_view()
def me(request):
    return Response({name: request.auth.get(name, []) for name in ("sub", "client_id", "scope", "roles")})


@api_view()
@permission_classes([IsAnalyst])
def reports(request):
    return Response({"reports": ["for the eyes of an analyst"], "sub": request.user.id})
